"""The HTTP client under the name of Tornado's client on libcurl; it does not use libcurl."""

from eyewall.http.client import HTTPError as CurlError
from eyewall.http.client import SimpleAsyncHTTPClient
from eyewall.tornado.legacy.stream_buffer import StreamBuffer


class CurlAsyncHTTPClient(SimpleAsyncHTTPClient):
    """Eyewall's own client, for programs that configure the one on libcurl by its name."""


class _CurlStreamingBuffer(StreamBuffer):
    """A streamed body's buffer; its size has no effect, since the engine holds servers back."""

    max_buffer_size = 65536


__all__ = ["CurlAsyncHTTPClient", "CurlError"]
