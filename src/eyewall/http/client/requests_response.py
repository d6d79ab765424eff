"""A streamed response in the form that `requests` reads, from code in a greenlet."""

import io
from collections.abc import Generator
from http.client import HTTPMessage
from typing import Any, Final

from urllib3 import HTTPHeaderDict, HTTPResponse

from eyewall.aio.greenlets import blocking_await
from eyewall.http.client.errors import HTTPClientError, HTTPTimeoutError
from eyewall.http.client.streamed import StreamedResponse

_VERSIONS: Final = {"HTTP/1.0": 10, "HTTP/1.1": 11, "HTTP/2.0": 20}


class _Content(io.RawIOBase):
    """The content as a file; reading waits in the greenlet."""

    def __init__(self, response: StreamedResponse) -> None:
        super().__init__()
        self._response = response
        self._pieces = response.__aiter__()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer with what is there, after a wait when nothing is.

        Raises:
            TimeoutError: The server has been silent for too long.
            ConnectionError: The rest does not come.
        """
        if not self._rest:
            try:
                self._rest = memoryview(blocking_await(anext(self._pieces, b"")))
            except HTTPTimeoutError as exc:
                raise TimeoutError(str(exc)) from exc
            except HTTPClientError as exc:
                raise ConnectionError(str(exc)) from exc
        count = min(len(self._rest), len(buffer))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()


class _Original:
    """Where `requests` looks for cookies."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.msg = HTTPMessage()
        for name, value in fields:
            self.msg.add_header(name, value)

    def close(self) -> None:
        """The content holds the connection."""

    def isclosed(self) -> bool:
        return True


class LoopResponse(HTTPResponse):
    """What `requests` calls `response.raw`.

    Args:
        response: The response whose head is there.
        method: What it answers.
        url: Where it came from.
    """

    def __init__(self, response: StreamedResponse, method: str, url: str) -> None:
        fields = list(response.headers.get_all())
        original: Any = _Original(fields)
        super().__init__(
            body=io.BufferedReader(_Content(response), 64 * 1024),
            headers=HTTPHeaderDict(fields),
            status=response.code,
            version=_VERSIONS.get(response.http_version, 11),
            version_string=response.http_version,
            reason=response.reason,
            preload_content=False,
            decode_content=False,
            original_response=original,
            request_method=method,
            request_url=url,
        )
        self._has_length = "Content-Length" in response.headers

    def stream(
        self, amt: int | None = 65536, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        """The content in pieces of at most `amt` bytes.

        Of a response without a length, pieces come as the server sends them, not when they are
        `amt` bytes: it may be one that never ends.
        """
        if self._has_length:
            yield from super().stream(amt, decode_content)
            return
        while data := self.read1(amt or 65536, decode_content):
            yield data
