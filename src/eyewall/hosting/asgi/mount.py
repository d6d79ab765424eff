"""`ASGIContainer`: an ASGI program behind the engine."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, final

from eyewall.base.errors import StartupError
from eyewall.base.log import app_log, gen_log
from eyewall.hosting.asgi.lifespan import Lifespan
from eyewall.hosting.asgi.request import ClientDisconnectedError, HTTPRequest
from eyewall.hosting.asgi.scope import http_scope
from eyewall.hosting.asgi.websocket import WebSocketConnection, is_handshake, websocket_scope
from eyewall.loop.eager import start_task

ASGIApplication = Callable[[Any, Any, Any], Awaitable[Any]]


@final
class ASGIContainer:
    """Serves an ASGI 3 program: FastAPI, Starlette, Litestar, Quart, Django and others.

    A request is a task of the loop whose first step runs at once. An answer that comes in one
    piece is sent by one call into the engine. The program's lifespan starts with `startup`, or
    with the first request, and ends with `drain`.

    Args:
        application: The program.

    Example:
        >>> async def hello(scope, receive, send):
        ...     await send({"type": "http.response.start", "status": 200, "headers": []})
        ...     await send({"type": "http.response.body", "body": b"Hello"})
        >>> app = ASGIContainer(hello)
    """

    serves_exchanges = True

    def __init__(self, application: ASGIApplication) -> None:
        if not callable(application):
            raise TypeError(f"an ASGI application is callable, {type(application).__name__} is not")
        self.application = application
        self._lifespan: Lifespan | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self) -> None:
        """Start the program.

        Raises:
            StartupError: It says that it cannot start.
        """
        await self._lifespan_of(asyncio.get_running_loop()).started()

    async def drain(self, deadline_s: float = 30.0) -> None:
        """End the program; call it when its requests have ended.

        Args:
            deadline_s: Seconds to wait for it.
        """
        if self._lifespan is not None:
            await self._lifespan.stop(deadline_s)
            self._lifespan = None

    def __call__(self, exchange: Any) -> None:
        """Serve a request."""
        loop = asyncio.get_running_loop()
        lifespan = self._lifespan_of(loop)
        if lifespan.is_started:
            self._serve(loop, lifespan, exchange)
        else:
            self._keep(start_task(loop, self._serve_later(lifespan, exchange)))

    def _lifespan_of(self, loop: asyncio.AbstractEventLoop) -> Lifespan:
        lifespan = self._lifespan
        if lifespan is None or not lifespan.belongs_to(loop):
            lifespan = self._lifespan = Lifespan(self.application)
        return lifespan

    def _keep(self, task: "asyncio.Task[None]") -> None:
        # The loop's own reference to a task is a weak one.
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve_later(self, lifespan: Lifespan, exchange: Any) -> None:
        try:
            await lifespan.started()
        except StartupError as exc:
            gen_log.error("503: %s", exc)
            exchange.respond(503, {"Content-Type": "text/plain; charset=UTF-8"}, b"")
            return
        await self._answer(*_connection(exchange, lifespan.state))

    def _serve(self, loop: asyncio.AbstractEventLoop, lifespan: Lifespan, exchange: Any) -> None:
        answer = self._answer(*_connection(exchange, lifespan.state))
        self._keep(start_task(loop, answer))

    async def _answer(
        self, scope: dict[str, Any], request: HTTPRequest | WebSocketConnection
    ) -> None:
        try:
            await self.application(scope, request.receive, request.send)
        except ClientDisconnectedError:
            return
        except Exception as exc:  # noqa: BLE001 - the boundary of the program
            app_log.error("Uncaught exception in an ASGI program", exc_info=exc)
        else:
            request.end()
            if not request.complete:
                app_log.error("The ASGI program ended without a whole answer: %(method)s %(path)s",
                              scope)  # fmt: skip
        request.fail()


def _connection(
    exchange: Any, state: dict[str, Any]
) -> tuple[dict[str, Any], HTTPRequest | WebSocketConnection]:
    scope = http_scope(exchange, state)
    if is_handshake(exchange):
        return websocket_scope(exchange, scope), WebSocketConnection(exchange)
    return scope, HTTPRequest(exchange)
