"""What goes wrong with WebSockets."""


class WebSocketError(Exception):
    """Base of what WebSockets raise; a server that answered, but not with a WebSocket."""


class WebSocketClosedError(WebSocketError):
    """The WebSocket is closed, or was cut while something waited for it."""
