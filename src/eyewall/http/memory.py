"""`MemoryExchange`: a request made by hand, and the answer to it, without a server."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from eyewall.http.exchange import Buffer, Headers


class MemoryExchange:
    """An exchange whose request is given and whose answer is kept.

    Args:
        method: The request's method.
        target: Its path and query.
        headers: Its header fields.
        body: Its body.
        http_version: The protocol's version.
        scheme: "http" or "https".
        host: The host that it is for; by default what the header says.
        remote_ip: The client's address.
        on_answer: Called when the answer is complete.
    """

    def __init__(  # noqa: PLR0913 - the parts of a request
        self,
        method: str = "GET",
        target: str = "/",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        http_version: str = "HTTP/1.1",
        scheme: str = "http",
        host: str | None = None,
        remote_ip: str = "127.0.0.1",
        on_answer: Callable[[], object] | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = list(headers)
        self.http_version = http_version
        self.scheme = scheme
        self.host = (self.header("host") or "") if host is None else host
        self.remote_ip = remote_ip
        self.tls: dict[str, Any] | None = None
        self.trailers: list[tuple[str, str]] = []
        self._body = body
        self._on_answer = on_answer
        self.has_body = bool(body)
        self.content_length = len(body) if body else None
        self.connected = True
        self.responded = False
        self.status = 0
        """The answer's status; 0 before there is one."""
        self.reason: str | None = None
        """The answer's reason, where it has one of its own."""
        self.answer_headers: list[tuple[str, str]] = []
        """The answer's header fields."""
        self.answer_body = b""
        """The answer's body."""

    def header(self, name: str) -> str | None:
        """One header field, several joined."""
        wanted = name.lower()
        values = [value for field, value in self.headers if field.lower() == wanted]
        return ("; " if wanted == "cookie" else ", ").join(values) if values else None

    def set_body_limit(self, max_bytes: int) -> None:
        """Nothing: the body is there already."""

    def read_all(self, callback: Callable[[bytes | Exception], object]) -> bytes | None:
        """The whole body."""
        body, self._body = self._body, b""
        return body

    read = read_all

    def respond(
        self, status: int, headers: Headers, body: Buffer | str, reason: str | None = None
    ) -> int:
        """Keep a whole answer."""
        self.start(status, headers, reason)
        data = body.encode() if isinstance(body, str) else bytes(body)
        if self.method != "HEAD":
            self.write(data)
        self.end()
        return len(data)

    def start(
        self, status: int, headers: Headers, reason: str | None = None, *, end: bool = False
    ) -> None:
        """Keep the head of an answer."""
        if self.responded:
            raise RuntimeError("the request was answered already")
        self.responded = True
        self.status = status
        self.reason = reason
        pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
        self.answer_headers = list(pairs)
        if end:
            self.end()

    def write(self, data: Buffer) -> bool:
        """Keep a piece of the body."""
        self.answer_body += bytes(data)
        return True

    def when_writable(self, callback: Callable[[Exception | None], object]) -> bool:
        """There is always room."""
        return True

    when_flushed = when_writable

    def end(self, trailers: Headers | None = None) -> None:
        """The answer is complete."""
        self.connected = False
        if self._on_answer is not None:
            self._on_answer()

    def inform(self, status: int, headers: Headers) -> bool:
        """Informational answers reach nobody here."""
        return False

    def upgrade(self, headers: Headers) -> NoReturn:
        """Raise RuntimeError: there is no connection that could change its protocol."""
        raise RuntimeError(f"a request in memory cannot be upgraded ({headers!r})")

    def abort(self) -> None:
        """There is nobody to cut off; the answer ends."""
        self.end()

    def on_disconnect(self, callback: Callable[[], object] | None) -> None:
        """Nothing: nobody can go away."""
