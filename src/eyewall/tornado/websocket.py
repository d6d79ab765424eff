"""WebSockets, under Tornado's names."""

from eyewall.realtime.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)
from eyewall.tornado.legacy.deflate import Compressor as _PerMessageDeflateCompressor
from eyewall.tornado.legacy.deflate import Decompressor as _PerMessageDeflateDecompressor
from eyewall.tornado.legacy.deflate import DecompressTooLargeError as _DecompressTooLargeError
from eyewall.tornado.legacy.websocket import WebSocketHandler

__all__ = [
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketHandler",
    "_DecompressTooLargeError",
    "_PerMessageDeflateCompressor",
    "_PerMessageDeflateDecompressor",
    "websocket_connect",
]
