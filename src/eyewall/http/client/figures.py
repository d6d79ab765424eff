"""The clients' figures, for whoever looks at the process's metrics."""

import weakref
from collections import Counter
from typing import TYPE_CHECKING, Final

from eyewall.base.stats import Family, registry
from eyewall.http.client.errors import (
    HTTPClientError,
    HTTPConnectError,
    HTTPTimeoutError,
    HTTPTLSError,
)

if TYPE_CHECKING:
    from eyewall.http.client.simple import SimpleAsyncHTTPClient

clients: "weakref.WeakSet[SimpleAsyncHTTPClient]" = weakref.WeakSet()
"""Every client that is there."""

outcomes: Final[Counter[int | str]] = Counter()
"""Fetches that have ended: by the hundreds of their status, or by what they failed with."""

_NOW: Final = {
    "running": "fetches under way",
    "queued": "fetches that wait for a place",
    "connections": "open connections to servers",
}


def outcome_of(error: BaseException) -> str:
    """The kind of failure that a metric's label names."""
    if isinstance(error, HTTPTimeoutError):
        return "timeout"
    if isinstance(error, HTTPConnectError | HTTPTLSError):
        return "connect"
    return "broken" if isinstance(error, HTTPClientError) else "invalid"


def families() -> list[Family]:
    """The figures as they are now."""
    totals: dict[str, int] = dict.fromkeys(_NOW, 0)
    for client in list(clients):
        stats = client.stats()
        for name in totals:
            totals[name] += stats[name]
    ended: dict[tuple[str, ...], int] = {
        (f"{outcome}xx" if isinstance(outcome, int) else outcome,): count
        for outcome, count in outcomes.items()
    }
    return [
        Family(
            "eyewall_client_fetches_total", "counter", "fetches that ended", ("outcome",), ended
        ),
        *(
            Family(f"eyewall_client_{name}", "gauge", text, (), {(): totals[name]})
            for name, text in _NOW.items()
        ),
    ]


registry.add_source(families)
