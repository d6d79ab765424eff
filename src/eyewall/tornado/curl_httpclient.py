"""The HTTP client on libcurl, under Tornado's names."""

from eyewall.http.client import HTTPError as CurlError
from eyewall.http.client.curl import CurlAsyncHTTPClient
from eyewall.tornado.legacy.stream_buffer import StreamBuffer


class _CurlStreamingBuffer(StreamBuffer):
    """A streamed body's buffer; its size has no effect, since transfers pause by themselves."""

    max_buffer_size = 65536


__all__ = ["CurlAsyncHTTPClient", "CurlError"]
