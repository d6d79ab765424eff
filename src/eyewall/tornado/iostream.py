"""Streams, under Tornado's names."""

from eyewall.net.base_stream import BaseIOStream

# What streams raise is of this class too, and so is what `flush` raises when the client has gone.
from eyewall.net.engine import ConnectionEndedError as StreamClosedError
from eyewall.net.errors import StreamBufferFullError, UnsatisfiableReadError
from eyewall.net.pipe_stream import PipeIOStream
from eyewall.net.stream import IOStream, SSLIOStream
from eyewall.tornado.legacy.stream_buffer import StreamBuffer as _StreamBuffer

__all__ = [
    "BaseIOStream",
    "IOStream",
    "PipeIOStream",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "UnsatisfiableReadError",
    "_StreamBuffer",
]
