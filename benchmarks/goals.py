"""What Eyewall means to reach: ratios of CPU time within one run, so that machines matter less."""

from dataclasses import dataclass

from servers import LIMIT


@dataclass(frozen=True)
class Goal:
    """The cost of one server in one workload, divided by another's.

    Args:
        text: The goal as a row's title.
        above: Workload and server whose cost is divided.
        below: Workload and server that it is divided by.
        at_most: The ratio to stay under, where Eyewall is above.
        at_least: The ratio to exceed, where the peer is above.
    """

    text: str
    above: tuple[str, str]
    below: tuple[str, str]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def wanted(self) -> str:
        """The bound as it is printed."""
        return f"at most {self.at_most:g}" if self.at_most else f"at least {self.at_least:g}"

    def met_by(self, ratio: float) -> bool:
        """Whether a measured ratio keeps to the bound."""
        if self.at_most is not None:
            return ratio <= self.at_most
        return self.at_least is not None and ratio >= self.at_least


_BARE = ("hello", "Eyewall, bare")
_CLASS = ("hello", "Eyewall, class")
_LIMIT = ("hello", LIMIT)
_REALISTIC = ("realistic", "Eyewall, class")


def _ahead(name: str, times: float) -> Goal:
    return Goal(f"Hello: {name} to class handler", ("hello", name), _CLASS, at_least=times)


GOALS = (
    Goal("Hello: bare callback to the limit", _BARE, _LIMIT, at_most=1.2),
    Goal("Hello: bare callback to hyper", _BARE, ("hello", "hyper alone"), at_most=1.05),
    Goal("Hello: class handler to the limit", _CLASS, _LIMIT, at_most=2),
    _ahead("Go net/http", 2),
    _ahead("Node http", 2),
    _ahead("socketify", 2),
    _ahead("Granian RSGI", 2.2),
    _ahead("uvicorn, raw ASGI", 2.2),
    _ahead("Starlette on uvicorn", 4),
    _ahead("Tornado", 15),
    Goal(
        "Hello: async def to def (from Python 3.12 on: 1.15)",
        ("hello", "Eyewall, async class"),
        _CLASS,
        at_most=1.35,
    ),
    Goal(
        "Class handler: 1,000 connections to 64",
        ("hello-1000", "Eyewall, class"),
        _CLASS,
        at_most=1.4,
    ),
    Goal(
        "No keep-alive: bare callback to the limit",
        ("close", "Eyewall, bare"),
        ("close", LIMIT),
        at_most=1.3,
    ),
    Goal("Realistic: class handler to the limit of hello", _REALISTIC, _LIMIT, at_most=3),
    Goal("Realistic: Tornado to class handler", ("realistic", "Tornado"), _REALISTIC, at_least=14),
    Goal(
        "Echo of 64 KiB: bare callback to hyper",
        ("echo", "Eyewall, bare"),
        ("echo", "hyper alone"),
        at_most=1.5,
    ),
    Goal("Class handler: HTTP/1.1 to HTTP/2", _CLASS, ("http2", "Eyewall, class"), at_least=1.33),
    Goal(
        "Class handler: 1,000 routes to 1",
        ("routes", "Eyewall, 1,000 routes"),
        ("routes", "Eyewall, 1 route"),
        at_most=1.05,
    ),
)
