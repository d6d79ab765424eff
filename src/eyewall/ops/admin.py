"""What is served beside the application, on an address of its own: health checks and metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, final

from eyewall.base.log import gen_log
from eyewall.base.stats import Family
from eyewall.http.exchange import Exchange
from eyewall.ops.health import LIVE_PATH, READY_PATH, answer_live, answer_ready
from eyewall.ops.metrics.prometheus import CONTENT_TYPE, render

_PLAIN: Final = {"Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store"}

More = Callable[[Exchange], bool]
"""Serves what it knows; False leaves the exchange to others."""


@final
class AdminSite:
    """Serves the paths of operation.

    Args:
        why_not_ready: None while requests are welcome; else the reason.
        metrics: What is counted.
        more: What else there is.
    """

    serves_exchanges = True

    def __init__(
        self,
        why_not_ready: Callable[[], str | None],
        metrics: Callable[[], Awaitable[Sequence[Family]]],
        more: More | None = None,
    ) -> None:
        self._why_not_ready = why_not_ready
        self._metrics = metrics
        self._more = more
        self._tasks: set[asyncio.Task[None]] = set()
        self._paths: dict[str, Callable[[Exchange], Any]] = {
            **dict.fromkeys(("/healthz", "/livez", LIVE_PATH), answer_live),
            **dict.fromkeys(("/readyz", READY_PATH), self._answer_ready),
            "/metrics": self._answer_metrics,
        }

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request."""
        answer = self._paths.get(exchange.path)
        if answer is not None:
            answer(exchange)
        elif self._more is None or not self._more(exchange):
            exchange.respond(404, _PLAIN, "there is /healthz, /readyz and /metrics\n")

    def _answer_ready(self, exchange: Exchange) -> None:
        answer_ready(exchange, self._why_not_ready())

    def _answer_metrics(self, exchange: Exchange) -> None:
        task = asyncio.ensure_future(self._send_metrics(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_metrics(self, exchange: Exchange) -> None:
        try:
            text = render(await self._metrics())
        except Exception:  # noqa: BLE001 - the boundary of a request
            gen_log.exception("The metrics could not be had")
            exchange.respond(500, _PLAIN, "the metrics could not be had; the log says why\n")
        else:
            fields = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
            exchange.respond(200, fields, text)
