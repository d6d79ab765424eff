"""Streams, under Tornado's names."""

from eyewall.net.base_stream import BaseIOStream
from eyewall.net.errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
from eyewall.net.pipe_stream import PipeIOStream
from eyewall.net.stream import IOStream, SSLIOStream

# It is imported along with the public names by programs that look inside; here it is plain memory.
_StreamBuffer = bytearray

__all__ = [
    "BaseIOStream",
    "IOStream",
    "PipeIOStream",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "UnsatisfiableReadError",
]
