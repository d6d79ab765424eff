"""A plain async function as the handler of a WebSocket."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, overload

from eyewall.realtime.websocket.handler import WebSocketHandler

Function = Callable[..., Awaitable[None]]


@overload
def websocket(function: Function, /) -> type[WebSocketHandler]: ...


@overload
def websocket(
    *,
    subprotocols: Iterable[str] = (),
    origins: Iterable[str] | None = None,
    compression: bool | dict[str, Any] | None = None,
    max_message_size: int | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
) -> Callable[[Function], type[WebSocketHandler]]: ...


def websocket(
    function: Function | None = None,
    /,
    *,
    subprotocols: Iterable[str] = (),
    origins: Iterable[str] | None = None,
    compression: bool | dict[str, Any] | None = None,
    max_message_size: int | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
) -> Any:
    """Make a handler of an async function; it may stand in a rule like any handler class.

    The function is called with the WebSocket and the path's arguments when it is open. It takes
    messages by iterating over it, and sends with `send`. When it returns the WebSocket is closed
    with 1000; what it raises is logged, and closes it with 1011. That the client has gone ends
    the iteration, or the function where it sends.

    Args:
        function: The function.
        subprotocols: Those that are served, in order of preference.
        origins: Origins whose pages may connect, beside the server's own; "*" for all.
        compression: True or options to compress messages; see
            `WebSocketHandler.get_compression_options`.
        max_message_size: Largest message in bytes; None leaves it to the settings.
        ping_interval: Seconds between pings; None leaves it to the settings.
        ping_timeout: Seconds that a client may be silent after one; None leaves it to the settings.

    Example:
        >>> @websocket
        ... async def echo(ws):
        ...     async for message in ws:
        ...         await ws.send(message)
    """
    served = tuple(subprotocols)
    allowed = frozenset(origins or ())
    options = {} if compression is True else compression or None

    def make(function: Function) -> type[WebSocketHandler]:
        class FunctionWebSocket(WebSocketHandler):
            async def open(self, *args: Any, **kwargs: Any) -> None:
                await function(self, *args, **kwargs)
                self.close(1000)

            def select_subprotocol(self, subprotocols: list[str]) -> str | None:
                return next((name for name in served if name in subprotocols), None)

            def check_origin(self, origin: str) -> bool:
                return "*" in allowed or origin in allowed or super().check_origin(origin)

            def get_compression_options(self) -> dict[str, Any] | None:
                return options

        for name, value in (
            ("max_message_size", max_message_size),
            ("ping_interval", ping_interval),
            ("ping_timeout", ping_timeout),
        ):
            if value is not None:
                setattr(FunctionWebSocket, name, value)
        FunctionWebSocket.__name__ = getattr(function, "__name__", "websocket")
        FunctionWebSocket.__qualname__ = getattr(function, "__qualname__", "websocket")
        FunctionWebSocket.__doc__ = function.__doc__
        FunctionWebSocket.__module__ = function.__module__
        return FunctionWebSocket

    return make if function is None else make(function)
