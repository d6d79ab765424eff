"""`HTTPResponse`: what a server answered."""

from collections.abc import Mapping
from http.client import responses
from io import BytesIO
from typing import Any

from eyewall.http.client.content import decode_json, decode_text
from eyewall.http.client.errors import HTTPClientError
from eyewall.http.client.request import HTTPRequest
from eyewall.http.headers import HTTPHeaders


class HTTPResponse:
    """What a server answered.

    Args:
        request: What was asked at first, before redirects.
        code: The status.
        headers: The fields; pairs as they came are made headers when they are asked for.
        buffer: The content.
        effective_url: Where the answer came from, after redirects.
        error: The error that `rethrow` raises; by default one for a status that is no success.
        request_time: Seconds from the start to the end.
        time_info: Seconds of its parts: "queue" (waiting for a place), "connect".
        reason: The status in words.
        start_time: When it began, in seconds since the epoch.
    """

    __slots__ = (
        "_body", "_buffer", "_fields", "_headers", "code", "effective_url", "error", "http_version",
        "reason", "request", "request_time", "start_time", "time_info",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913, PLR0917 - Tornado's signature
        self,
        request: HTTPRequest,
        code: int,
        headers: HTTPHeaders | list[tuple[str, str]] | None = None,
        buffer: BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: Mapping[str, float] | None = None,
        reason: str | None = None,
        start_time: float | None = None,
        *,
        body: bytes = b"",
        http_version: str = "HTTP/1.1",
    ) -> None:
        self.request = request
        self.code = code
        self.reason = reason or responses.get(code, "Unknown")
        if headers is None:
            headers = HTTPHeaders()
        self._fields = headers
        self._headers = headers if isinstance(headers, HTTPHeaders) else None
        self._body = body
        self._buffer = buffer
        self.effective_url = request.url if effective_url is None else effective_url
        self.request_time = request_time
        self.time_info = dict(time_info or {})
        self.start_time = start_time
        self.http_version = http_version
        if error is None and not 200 <= code < 300:
            error = HTTPClientError(code, self.reason, self)
        self.error = error

    @property
    def headers(self) -> HTTPHeaders:
        """The fields."""
        if self._headers is None:
            self._headers = HTTPHeaders.from_wire(self._fields)  # type: ignore[arg-type] # pairs then
        return self._headers

    @property
    def body(self) -> bytes:
        """The content, all of it."""
        return self._body if self._buffer is None else self._buffer.getvalue()

    @property
    def buffer(self) -> BytesIO:
        """The content as a file."""
        if self._buffer is None:
            self._buffer = BytesIO(self._body)
        return self._buffer

    def rethrow(self) -> None:
        """Raise the error of a response that is no success."""
        if self.error is not None:
            raise self.error

    def json(self, type: Any = None) -> Any:  # noqa: A002 - msgspec's name for it
        """The content as JSON.

        Args:
            type: What `msgspec` shall make of it and check it against; None for plain values.

        Raises:
            ValueError: It is no JSON, or not of that type.
        """
        return decode_json(self.body, type)

    @property
    def text(self) -> str:
        """The content as text, in the character set that `Content-Type` names, else UTF-8."""
        return decode_text(self.body, self.headers.get("Content-Type", ""))

    def __repr__(self) -> str:
        shown = ",".join(
            f"{name}={getattr(self, name)!r}"
            for name in ("code", "reason", "effective_url", "headers", "request_time")
        )
        return f"HTTPResponse({shown})"
