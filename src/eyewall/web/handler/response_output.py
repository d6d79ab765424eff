"""What a handler answers: status, headers, body. Hot path."""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Protocol
from urllib.parse import urljoin

from eyewall.base.escape import json_bytes
from eyewall.http.cookies import format_set_cookie
from eyewall.http.dates import format_date
from eyewall.http.etag import matches_weakly
from eyewall.http.headers import HTTPHeaders, check_name, check_value, normalize_name
from eyewall.web.engine import StreamClosedError, etag
from eyewall.web.handler.request_input import RequestInput

_TAGGED: Final = frozenset({"GET", "HEAD"})
# What the client has from the answer that it keeps (RFC 9110, section 15.4.5).
_OF_THE_BODY: Final = (
    "Allow", "Content-Encoding", "Content-Language", "Content-Length", "Content-Range",
    "Content-Type",
)  # fmt: skip
_DONE: Final = "finish() was called already; nothing can be written after it"


class _Done:
    """What has happened already, for those who await it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


DONE: Final = _Done()


class Transform(Protocol):
    """Changes an answer on its way out; made for each request, with the request."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Change the status, the headers and the first piece of the body."""
        ...

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Change a further piece of the body; the last one when `finishing`."""
        ...


class ResponseOutput(RequestInput):
    """Status, headers and body of the answer."""

    _status_code: int = 200
    _reason: str | None = None
    _headers: dict[str, str]
    _more_headers: list[tuple[str, str]] | None = None
    _chunk: bytes = b""
    _chunks: list[bytes] | None = None
    _headers_written: bool = False
    _finished: bool = False
    _own_etag: Callable[[bytes], str | None] | None = None
    _quiet: bool = False
    _cookies_out: dict[tuple[str, str | None, str | None], str] | None = None
    _transforms: list[Transform] | None = None

    def clear(self) -> None:
        """Forget the status, the headers and the body so far."""
        self._status_code = 200
        self._reason = None
        self._headers = self.application.headers_for(self.exchange)
        self._more_headers = None
        self._chunk = b""
        self._chunks = None
        self.set_default_headers()

    def set_default_headers(self) -> None:
        """Override it to set headers of every answer, errors included."""

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Set the answer's status.

        Args:
            status_code: 200 to 999.
            reason: Phrase for the status line of HTTP/1.1; the standard one by default.

        Raises:
            ValueError: A reason with control characters or beyond ISO-8859-1.
        """
        if reason is not None:
            check_value(reason)
            reason.encode("latin-1")
        self._status_code = status_code
        self._reason = reason

    def get_status(self) -> int:
        """The answer's status so far."""
        return self._status_code

    def set_header(self, name: str, value: str | bytes | int | datetime.datetime) -> None:
        """Set a header; one of the same name is replaced.

        Raises:
            ValueError: A name or value that cannot be sent.
            TypeError: A value that is neither text, bytes, a number nor a datetime.
        """
        check_name(name)
        name = normalize_name(name)
        self._headers[name] = _header_value(value)
        if self._more_headers:
            self._more_headers = [pair for pair in self._more_headers if pair[0] != name]

    def add_header(self, name: str, value: str | bytes | int | datetime.datetime) -> None:
        """Add a header beside those of the same name; errors as for `set_header`."""
        check_name(name)
        name = normalize_name(name)
        text = _header_value(value)
        if name not in self._headers:
            self._headers[name] = text
        elif self._more_headers is None:
            self._more_headers = [(name, text)]
        else:
            self._more_headers.append((name, text))

    def clear_header(self, name: str) -> None:
        """Remove a header."""
        name = normalize_name(name)
        self._headers.pop(name, None)
        if self._more_headers:
            self._more_headers = [pair for pair in self._more_headers if pair[0] != name]

    def set_cookie(  # noqa: PLR0913 - the attributes of a cookie
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: float | datetime.datetime | None = None,
        path: str = "/",
        expires_days: float | None = None,
        *,
        max_age: int | None = None,
        httponly: bool = False,
        secure: bool = False,
        samesite: str | None = None,
        partitioned: bool = False,
    ) -> None:
        """Set a cookie; the attributes are those of `format_set_cookie`.

        Args:
            name: A token.
            value: The value.
            domain: Hosts that get it.
            expires: When it ends.
            path: Paths that get it.
            expires_days: Days from now until it ends, where `expires` is not given.
            max_age: Seconds that it lives.
            httponly: Not for scripts.
            secure: Only over TLS.
            samesite: "Strict", "Lax" or "None".
            partitioned: One for each top-level site.

        Raises:
            ValueError: A part that cannot be sent.
        """
        if expires_days is not None and expires is None:
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=expires_days)
        text = format_set_cookie(
            name,
            value.decode() if isinstance(value, bytes) else value,
            domain=domain,
            expires=expires,
            path=path,
            max_age=max_age,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
        if self._cookies_out is None:
            self._cookies_out = {}
        self._cookies_out[(name, domain, path)] = text

    def clear_cookie(self, name: str, path: str = "/", domain: str | None = None) -> None:
        """Have the client forget a cookie; path and domain must be those that it was set with."""
        gone = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
        self.set_cookie(name, "", domain=domain, expires=gone, path=path)

    def clear_all_cookies(self, path: str = "/", domain: str | None = None) -> None:
        """Have the client forget every cookie that it sent."""
        for name in self.cookies:
            self.clear_cookie(name, path=path, domain=domain)

    def write(self, chunk: str | bytes | dict[str, Any] | object) -> None:
        """Add to the body: text is sent as UTF-8, a dict as JSON with its content type.

        A list is refused, as Tornado does: old browsers could be made to run a JSON array.

        Raises:
            RuntimeError: After `finish`.
            TypeError: Something else.
        """
        if self._finished:
            raise RuntimeError(_DONE)
        if isinstance(chunk, str):
            chunk = chunk.encode()
        elif isinstance(chunk, dict):
            chunk = json_bytes(chunk)
            self._headers["Content-Type"] = "application/json; charset=UTF-8"
        elif not isinstance(chunk, bytes):
            hint = "; wrap a list in a dict" if isinstance(chunk, list) else ""
            raise TypeError(f"write() takes bytes, str or dict, not {type(chunk).__name__}{hint}")
        if self._chunks is not None:
            self._chunks.append(chunk)
        elif self._chunk:
            self._chunks = [self._chunk, chunk]
        else:
            self._chunk = chunk

    def _take_body(self) -> bytes:
        chunks = self._chunks
        body = self._chunk if chunks is None else b"".join(chunks)
        self._chunk = b""
        self._chunks = None
        return body

    def _wire_headers(self) -> dict[str, str] | list[tuple[str, str]]:
        if self._more_headers is None and self._cookies_out is None:
            return self._headers
        pairs = list(self._headers.items())
        if self._more_headers is not None:
            pairs += self._more_headers
        if self._cookies_out is not None:
            for text in self._cookies_out.values():
                pairs.append(("Set-Cookie", text))
        return pairs

    def flush(self, include_footers: bool = False) -> Awaitable[None]:
        """Send what was written so far; await it for the client's back-pressure.

        Raises:
            StreamClosedError: The client has gone; raised when awaited.
        """
        waiting = asyncio.get_running_loop().create_future()
        exchange = self.exchange
        try:
            body = self._take_body()
            if not self._headers_written:
                self._headers_written = True
                if self._transforms is None:
                    exchange.start(self._status_code, self._wire_headers(), self._reason)
                else:
                    status, headers, body = self._first_chunk(self._status_code, body, False)
                    exchange.start(status, headers, self._reason)
            elif self._transforms is not None:
                body = self._next_chunk(body, False)
            if (
                (body and exchange.write(body))
                or not body
                or exchange.when_writable(lambda error: _settle(waiting, error))
            ):
                waiting.set_result(None)
        except StreamClosedError as exc:
            waiting.set_exception(exc)
            # Not everybody awaits; a client that left is no news in the log.
            waiting.exception()
        return waiting

    def finish(  # noqa: C901, PLR0912 - one frame: each call saved is paid by every request
        self, chunk: str | bytes | dict[str, Any] | None = None
    ) -> Any:
        """Add a last chunk and end the answer; awaiting it is possible, and not needed.

        Raises:
            RuntimeError: It was ended already.
        """
        if self._finished:
            raise RuntimeError("finish() was called already")
        if chunk is not None:
            self.write(chunk)
        body = self._chunk if self._chunks is None else b"".join(self._chunks)
        self._chunk = b""
        self._chunks = None
        exchange = self.exchange
        if self._headers_written:
            self._finished = True
            self._finish_stream(body)
        else:
            status = self._status_code
            headers = self._headers
            if status == 200:
                if exchange.method in _TAGGED and "Etag" not in headers:
                    tag = etag(body) if self._own_etag is None else self._own_etag(body)
                    if tag is not None:
                        headers["Etag"] = tag
                        if_none = exchange.header("If-None-Match")
                        if if_none is not None and matches_weakly(if_none, tag):
                            status = self._not_modified()
                            body = b""
            elif status in {204, 304} or status < 200:
                if body:
                    raise RuntimeError(f"an answer with status {status} has no body")
                for name in ("Content-Length", "Content-Type"):
                    self._headers.pop(name, None)
            if self._transforms is not None:
                status, fields, body = self._first_chunk(status, body, True)
                exchange.respond(status, fields, body, self._reason)
            elif self._more_headers is None and self._cookies_out is None:
                exchange.respond(status, headers, body, self._reason)
            else:
                exchange.respond(status, self._wire_headers(), body, self._reason)
            self._finished = True
        if not self._quiet:
            self._after_finish()
        return DONE

    def _first_chunk(
        self, status: int, body: bytes, finishing: bool
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = HTTPHeaders()
        wire = self._wire_headers()
        for name, value in wire.items() if isinstance(wire, dict) else wire:
            headers.add(name, value)
        for transform in self._transforms or ():
            status, headers, body = transform.transform_first_chunk(
                status, headers, body, finishing
            )
        return status, list(headers.get_all()), body

    def _next_chunk(self, body: bytes, finishing: bool) -> bytes:
        for transform in self._transforms or ():
            body = transform.transform_chunk(body, finishing)
        return body

    def _finish_stream(self, body: bytes) -> None:
        if self._transforms is not None:
            body = self._next_chunk(body, True)
        try:
            if body:
                self.exchange.write(body)
            self.exchange.end()
        except StreamClosedError:
            # The client has gone; `on_connection_close` has told the handler.
            pass

    def _not_modified(self) -> int:
        self._status_code = 304
        for name in _OF_THE_BODY:
            self._headers.pop(name, None)
        return 304

    def _after_finish(self) -> None:
        """What follows the answer: the log line and the handler's own hook."""

    def compute_etag(self) -> str | None:
        """An entity tag for the body written so far; None for no tag. Override it for your own."""
        return etag(self._chunk if self._chunks is None else b"".join(self._chunks))

    def set_etag_header(self) -> None:
        """Set the `Etag` header to what `compute_etag` gives."""
        tag = self.compute_etag()
        if tag is not None:
            self.set_header("Etag", tag)

    def check_etag_header(self) -> bool:
        """Whether the client's `If-None-Match` names the answer's tag (weak comparison)."""
        tag = self._headers.get("Etag")
        if_none = self.exchange.header("If-None-Match")
        return bool(tag and if_none and matches_weakly(if_none, tag))

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Answer with a redirect to `url`, which may be relative.

        Args:
            url: Where to.
            permanent: 301 instead of 302.
            status: Another status from 300 to 399.

        Raises:
            RuntimeError: The head is sent already.
            ValueError: A status that is no redirect, or a URL that cannot be sent.
        """
        if self._headers_written:
            raise RuntimeError("cannot redirect after the headers have been written")
        # Joining would drop line ends silently.
        check_value(url)
        if status is None:
            status = 301 if permanent else 302
        elif not 300 <= status <= 399:
            raise ValueError(f"{status} is no redirect; its status is from 300 to 399")
        self.set_status(status)
        # A request for "//host/x" must not make its first part a host to go to.
        base = "/" + self.exchange.path.lstrip("/")
        self.set_header("Location", url if url.startswith("/") else urljoin(base, url))
        self.finish()


def _settle(waiting: "asyncio.Future[None]", error: Exception | None) -> None:
    if waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)
        waiting.exception()


def _header_value(value: str | bytes | int | datetime.datetime) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, int):
        return str(value)
    elif isinstance(value, datetime.datetime):
        return format_date(value)
    else:
        raise TypeError(f"a header's value is text, bytes, int or datetime, not {value!r}")
    check_value(text)
    return text
