"""`HTTPResponse`, and the errors of a fetch."""

from dataclasses import dataclass, field
from http.client import responses
from io import BytesIO

from eyewall.http.client.request import HTTPRequest
from eyewall.http.headers import HTTPHeaders


class HTTPClientError(Exception):
    """A fetch failed, or was answered with a status that is no success.

    Args:
        code: The status; 599 where no response came.
        message: What went wrong.
        response: The response, where there is one.
    """

    def __init__(
        self, code: int, message: str | None = None, response: "HTTPResponse | None" = None
    ) -> None:
        self.code = code
        self.message = message or responses.get(code, "Unknown")
        self.response = response
        super().__init__(code, self.message, response)

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"


HTTPError = HTTPClientError


class HTTPTimeoutError(HTTPClientError):
    """The request, or its place in the queue, took too long."""

    def __init__(self, message: str) -> None:
        super().__init__(599, message)


class HTTPStreamClosedError(HTTPClientError):
    """The connection could not be made, broke, or carried what is not HTTP."""

    def __init__(self, message: str) -> None:
        super().__init__(599, message)


@dataclass(slots=True)
class HTTPResponse:
    """What a server answered.

    Times are in seconds; `start_time` is since the epoch.
    """

    request: HTTPRequest
    code: int
    reason: str
    headers: HTTPHeaders
    effective_url: str
    buffer: BytesIO = field(default_factory=BytesIO)
    request_time: float = 0.0
    start_time: float = 0.0
    time_info: dict[str, float] = field(default_factory=dict)
    error: HTTPClientError | None = None

    def __post_init__(self) -> None:
        if self.error is None and not 200 <= self.code < 300:
            self.error = HTTPClientError(self.code, self.reason, self)

    @property
    def body(self) -> bytes:
        """The content, all of it."""
        return self.buffer.getvalue()

    def rethrow(self) -> None:
        """Raise the error of a response that is no success."""
        if self.error is not None:
            raise self.error
