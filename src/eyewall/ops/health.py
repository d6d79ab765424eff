"""Whether this process lives, and whether it should be sent requests."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, final

from eyewall.http.exchange import Exchange

if TYPE_CHECKING:
    from eyewall.ops.gate import Gate

LIVE_PATH: Final = "/_eyewall/health"
READY_PATH: Final = "/_eyewall/ready"
HEALTH_PATHS: Final = frozenset({LIVE_PATH, READY_PATH})
_FIELDS: Final = {"Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store"}


@final
class Health:
    """What load balancers and orchestrators ask about a server.

    It lives as long as it answers. It is ready unless it drains, or holds so many requests that
    it refuses more.
    """

    __slots__ = ("gate", "is_draining")

    def __init__(self) -> None:
        self.is_draining = False
        self.gate: Gate | None = None

    def why_not_ready(self) -> str | None:
        """None while requests are welcome; else the reason."""
        if self.is_draining:
            return "draining"
        if self.gate is not None and self.gate.is_full:
            return "suspended, and no more requests can wait"
        return None


def answer_live(exchange: Exchange) -> None:
    """Answer that the process lives."""
    _answer(exchange, 200, "alive")


def answer_ready(exchange: Exchange, why_not: str | None) -> None:
    """Answer whether it should be sent requests: 200, or 503 with the reason."""
    _answer(exchange, 503 if why_not else 200, why_not or "ready")


def _answer(exchange: Exchange, status: int, text: str) -> None:
    if exchange.method in {"GET", "HEAD"}:
        exchange.respond(status, _FIELDS, f"{text}\n")
    else:
        exchange.respond(405, {**_FIELDS, "Allow": "GET, HEAD"}, "use GET\n")


@final
class HealthFront:
    """Stands before an application and answers the two paths of health checks.

    Args:
        app: The application.
        health: What to answer.
    """

    serves_exchanges = True

    def __init__(self, app: Callable[[Any], object], health: Health) -> None:
        self._app = app
        self._health = health
        self._paths = {LIVE_PATH: answer_live, READY_PATH: self._answer_ready}

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request."""
        (self._paths.get(exchange.path) or self._app)(exchange)

    def _answer_ready(self, exchange: Exchange) -> None:
        answer_ready(exchange, self._health.why_not_ready())
