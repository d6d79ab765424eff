"""A name for each request, in all log lines that are written for it."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, final

from eyewall.base.request_ids import choose_request_id, request_id_var
from eyewall.http.exchange import Exchange


@final
class RequestIds:
    """Stands before an application and runs each request in a context that has its id.

    Tasks that the request starts inherit it.

    Args:
        app: The application.
    """

    serves_exchanges = True

    def __init__(self, app: Callable[[Any], object]) -> None:
        self._app = app

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request."""
        chosen = choose_request_id(exchange.header("X-Request-ID"), exchange.header("traceparent"))
        copy_context().run(self._serve, exchange, chosen)

    def _serve(self, exchange: Exchange, request_id: str) -> None:
        request_id_var.set(request_id)
        self._app(exchange)
