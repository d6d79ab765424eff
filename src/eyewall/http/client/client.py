"""`AsyncHTTPClient`: fetches URLs, keeps connections for the next fetch."""

import asyncio
import base64
import ssl
import time
import weakref
from io import BytesIO
from typing import Any, ClassVar, Self
from urllib.parse import quote, unquote, urlsplit

from eyewall.http.client.connection import Connection, Head, Inflater, ProtocolError
from eyewall.http.client.redirects import follow, origin
from eyewall.http.client.request import HTTPRequest, copied
from eyewall.http.client.response import HTTPResponse, HTTPStreamClosedError, HTTPTimeoutError
from eyewall.http.headers import HTTPHeaders

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_BROKEN = (OSError, asyncio.IncompleteReadError, ProtocolError)


class AsyncHTTPClient:
    """Fetches over HTTP/1.1; one instance is shared by all that ask in one event loop.

    Args:
        force_instance: Make a client of its own.
        max_clients: Fetches under way at once; more wait, within their `request_timeout`.
        max_header_size: Largest response head in bytes.
        max_body_size: Largest content in bytes, before and after decompression.
        max_idle: Idle connections kept in all.
    """

    _limits: dict[str, int]
    _slots: asyncio.Semaphore
    _max_idle: int
    _idle: list[tuple[object, Connection]]
    _closed: bool
    _shared: ClassVar["weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any]"] = (
        weakref.WeakKeyDictionary()
    )

    def __new__(cls, force_instance: bool = False, **options: Any) -> Self:
        """The running loop's client, or with `force_instance` a new one."""
        if force_instance:
            return cls._make(**options)
        loop = asyncio.get_running_loop()
        client = cls._shared.get(loop)
        if client is None:
            client = cls._shared[loop] = cls._make(**options)
        return client

    @classmethod
    def _make(
        cls,
        *,
        max_clients: int = 10,
        max_header_size: int = 65536,
        max_body_size: int = 100 * 1024 * 1024,
        max_idle: int = 10,
    ) -> Self:
        self = super().__new__(cls)
        self._limits = {"max_header_size": max_header_size, "max_body_size": max_body_size}
        self._slots = asyncio.Semaphore(max_clients)
        self._max_idle = max_idle
        self._idle = []
        self._closed = False
        return self

    def close(self) -> None:
        """Close idle connections; fetch no more."""
        self._closed = True
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()
        for loop, client in list(self._shared.items()):
            if client is self:
                del self._shared[loop]

    async def fetch(
        self, request: HTTPRequest | str, raise_error: bool = True, **kwargs: Any
    ) -> HTTPResponse:
        """Fetch a URL.

        Args:
            request: A request, or a URL with the request's options as further arguments.
            raise_error: Raise for a status that is no success, rather than return it.
            kwargs: Options of `HTTPRequest`.

        Raises:
            HTTPClientError: The status is no success.
            HTTPTimeoutError: It took longer than `request_timeout`.
            HTTPStreamClosedError: The connection failed, or the answer is malformed.
            ValueError: The request cannot be sent.
        """
        if self._closed:
            raise RuntimeError("the client is closed")
        if not isinstance(request, HTTPRequest):
            request = HTTPRequest(url=request, **kwargs)
        elif kwargs:
            raise ValueError("options go into the HTTPRequest when there is one")
        try:
            async with asyncio.timeout(request.request_timeout or None):
                async with self._slots:
                    response = await self._follow(request)
        except TimeoutError as error:
            raise HTTPTimeoutError("the request timed out") from error
        except _BROKEN as error:
            raise HTTPStreamClosedError(str(error) or type(error).__name__) from error
        if raise_error:
            response.rethrow()
        return response

    async def _follow(self, request: HTTPRequest) -> HTTPResponse:
        first = request
        while True:
            response = await self._once(request, first)
            following = None
            if request.max_redirects > 0:
                following = follow(request, response.code, response.headers.get("Location"))
            if following is None:
                return response
            request = following

    async def _once(self, request: HTTPRequest, first: HTTPRequest) -> HTTPResponse:
        start_time, started = time.time(), time.perf_counter()
        key = (origin(request.url), *_tls_options(request), request.network_interface)
        data = serialize(request)
        connection, head = await self._ask(request, key, data)
        buffer = BytesIO()
        try:
            moving = follow(request, head.code, head.headers.get("Location")) is not None
            await self._read(request, connection, head, buffer, quiet=moving)
        except BaseException:
            connection.close()
            raise
        self._release(key, connection)
        return HTTPResponse(
            first, head.code, head.reason, head.headers, request.url, buffer,
            time.perf_counter() - started, start_time,
        )  # fmt: skip

    async def _ask(self, request: HTTPRequest, key: Any, data: bytes) -> tuple[Connection, Head]:
        pooled = self._pooled(key)
        while True:
            connection = pooled or await self._connect(request)
            try:
                return connection, await connection.ask(request.method, data)
            except (OSError, asyncio.IncompleteReadError):
                connection.close()
                # A server may close an idle connection at the moment that it is used again.
                stale = pooled is not None and not connection.answered
                if not stale or request.method not in _IDEMPOTENT:
                    raise
                pooled = None
            except BaseException:
                connection.close()
                raise

    async def _read(
        self, request: HTTPRequest, connection: Connection, head: Head, buffer: BytesIO, *,
        quiet: bool,
    ) -> None:  # fmt: skip
        if request.header_callback is not None and not quiet:
            for line in head.lines:
                request.header_callback(line)
        sink = buffer.write
        inflater = None
        if request.streaming_callback is not None and not quiet:
            sink = request.streaming_callback  # type: ignore[assignment]
        gzipped = head.headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip")
        empty = request.method == "HEAD" or head.code in (204, 304)
        if not (request.decompress_response and gzipped) or empty:
            await connection.read_body(request.method, head, sink)
            return
        inflater = Inflater(self._limits["max_body_size"])
        await connection.read_body(
            request.method, head, lambda data: sink(out) if (out := inflater.feed(data)) else None
        )
        inflater.finish()
        del head.headers["Content-Encoding"]
        head.headers.pop("Content-Length", None)

    def _pooled(self, key: object) -> Connection | None:
        for index in reversed(range(len(self._idle))):
            if self._idle[index][0] == key:
                _, connection = self._idle.pop(index)
                if connection.alive:
                    return connection
                connection.close()
        return None

    def _release(self, key: object, connection: Connection) -> None:
        if self._closed or not connection.alive:
            connection.close()
            return
        self._idle.append((key, connection))
        if len(self._idle) > self._max_idle:
            self._idle.pop(0)[1].close()

    async def _connect(self, request: HTTPRequest) -> Connection:
        scheme, host, port = origin(request.url)
        source = request.network_interface
        async with asyncio.timeout(request.connect_timeout or None):
            reader, writer = await asyncio.open_connection(
                _ascii(host),
                port,
                limit=self._limits["max_header_size"],
                ssl=_context(request) if scheme == "https" else None,
                local_addr=(source, 0) if source is not None else None,
            )
        return Connection(reader, writer, **self._limits)


def serialize(request: HTTPRequest) -> bytes:
    """The bytes of a request (RFC 9112, section 3).

    Raises:
        ValueError: Its URL or a header cannot be sent.
    """
    scheme, host, port = origin(request.url)
    parts = urlsplit(request.url)
    name = _ascii(host)
    shown = f"[{name}]" if ":" in name else name
    if port != (443 if scheme == "https" else 80):
        shown += f":{port}"
    headers = HTTPHeaders({"Host": shown})
    for field, value in copied(request.headers).get_all():
        if field == "Host":
            headers["Host"] = value
        elif field in ("Content-Length", "Transfer-Encoding"):
            continue
        else:
            headers.add(field, value)
    credentials = _credentials(request)
    if credentials is not None:
        headers["Authorization"] = credentials
    if request.decompress_response:
        headers.setdefault("Accept-Encoding", "gzip")
    body = request.body_bytes()
    if body is not None:
        headers["Content-Length"] = str(len(body))
        if request.method == "POST":
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{field}: {value}" for field, value in headers.get_all()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def _credentials(request: HTTPRequest) -> str | None:
    """The value of `Authorization` (RFC 7617), from the options or from the URL."""
    parts = urlsplit(request.url)
    user, password = request.auth_username, request.auth_password or ""
    if user is None and parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
    if user is None:
        return None
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError("the URL's host is not a valid name") from error


def _tls_options(request: HTTPRequest) -> tuple[object, ...]:
    return (
        request.validate_cert,
        request.ca_certs,
        request.client_key,
        request.client_cert,
        request.ssl_options,
    )


def _context(request: HTTPRequest) -> ssl.SSLContext:
    if request.ssl_options is not None:
        return request.ssl_options
    context = ssl.create_default_context(cafile=request.ca_certs)
    if not request.validate_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if request.client_cert is not None:
        context.load_cert_chain(request.client_cert, request.client_key)
    return context
