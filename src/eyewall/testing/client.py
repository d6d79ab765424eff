"""`TestClient`: asks an application through the real server, on a port of its own."""

import asyncio
import contextlib
import json as json_codec
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode, urljoin

from eyewall.base.log import app_log
from eyewall.http.client import AsyncHTTPClient, HTTPRequest
from eyewall.http.headers import HTTPHeaders
from eyewall.http.server.server import HTTPServer
from eyewall.realtime.websocket import WebSocketClientConnection, websocket_connect
from eyewall.testing.certificates import certificate_files
from eyewall.testing.forms import File, encode_form
from eyewall.testing.ports import bind_unused_port
from eyewall.testing.response import StreamedResponse, TestResponse
from eyewall.web.application import Application

_MOST_REDIRECTS = 20


class TestClient:
    """Serves an application, from its first use to the end of its `async with` block, and asks it.

    `cookies` are sent with every request and kept up to date from the responses, whatever
    their paths.

    Args:
        app: An application, or any function that serves exchanges.
        base_url: A server to ask that is there already, instead of `app`.
        follow_redirects: Whether redirects are followed or returned.
        raise_server_exceptions: Raise what a handler raised, rather than return a 500.
        https: Serve over TLS, with a certificate made for the run; needs `trustme`.
        options: Options of the `HTTPServer`.

    Raises:
        ValueError: There is both an application and a server, or neither.
    """

    __test__ = False

    def __init__(
        self,
        app: Callable[[Any], object] | None = None,
        *,
        base_url: str = "",
        follow_redirects: bool = False,
        raise_server_exceptions: bool = False,
        https: bool = False,
        **options: Any,
    ) -> None:
        if (app is None) == (not base_url):
            raise ValueError("a TestClient asks an application, or what is served at base_url")
        self._app, self._options, self._https = app, options, https
        self.base_url = base_url
        self.follow_redirects = follow_redirects
        self.raise_server_exceptions = raise_server_exceptions
        self.cookies: dict[str, str] = {}
        self._client: AsyncHTTPClient | None = None
        self._server: HTTPServer | None = None
        self._authority: str | None = None
        self._life: AsyncGenerator[None, None] | None = None

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._life is not None:
            await self._life.aclose()

    async def _begin(self) -> AsyncHTTPClient:
        if self._client is None:
            self._life = self._live()
            await anext(self._life)
        return self._start()

    async def _live(self) -> AsyncGenerator[None, None]:
        # Runners of loops end generators, so even a client that nobody closes ends in its loop.
        app = self._app if isinstance(self._app, Application) else None
        if app is not None:
            await app.startup()
        self._start()
        try:
            yield
        finally:
            self.close()
            await asyncio.sleep(0)
            if app is not None:
                await app.resources.close()

    def close(self) -> None:
        """End it: cut all connections and serve no more."""
        if self._client is not None:
            self._client.close()
        if self._server is not None:
            self._server.close()
        self._client = self._server = None

    def _start(self) -> AsyncHTTPClient:
        if self._client is not None:
            return self._client
        self._client = AsyncHTTPClient(force_instance=True)
        if self._app is not None:
            options = dict(self._options)
            if self._https:
                files = certificate_files()
                self._authority = files.authority
                options["ssl_options"] = {"certfile": files.chain, "keyfile": files.key}
            self._server = HTTPServer(self._app, **options)
            sock, port = bind_unused_port()
            with sock:
                self._server.add_socket(sock)
            self.base_url = f"{'https' if self._https else 'http'}://127.0.0.1:{port}"
        return self._client

    async def request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | str | Mapping[str, str] | None = None,
        files: Mapping[str, File] | None = None,
        cookies: Mapping[str, str] | None = None,
        follow_redirects: bool | None = None,
        timeout_s: float = 20.0,
    ) -> TestResponse:
        """Ask, and return what came, whatever its status.

        Args:
            method: The method.
            path: Path and query.
            params: More of the query.
            headers: Fields to send.
            json: A value to send as JSON.
            data: Content to send; a mapping is sent as a form.
            files: Files to send with the form: content, or (file name, content), or (file
                name, content, media type) by field name.
            cookies: Further cookies, for this request only.
            follow_redirects: Other than the client's.
            timeout_s: Seconds that it may take.

        Raises:
            HTTPClientError: No response came.
            Exception: What the handler raised, with `raise_server_exceptions`.
        """
        await self._begin()
        target = self._url(path, params)
        fields, body = _content(headers, json, data, files)
        follow = self.follow_redirects if follow_redirects is None else follow_redirects
        history: list[TestResponse] = []
        while True:
            response = await self._once(
                method, target, fields, body, dict(cookies or {}), timeout_s
            )
            response.history = history
            location = response.headers.get("Location")
            if not follow or response.status not in {301, 302, 303, 307, 308} or not location:
                return response
            if len(history) == _MOST_REDIRECTS:
                raise RuntimeError(f"{path} was redirected {_MOST_REDIRECTS} times")
            target = urljoin(target, location)
            if not target.startswith(self.base_url):
                return response
            history = [*history, response]
            if response.status == 303 or (response.status < 303 and method == "POST"):
                # RFC 9110, section 15.4: what follows asks for a page.
                method, body = "GET" if method != "HEAD" else method, None
                fields.pop("Content-Type", None)

    async def _once(
        self,
        method: str,
        url: str,
        fields: HTTPHeaders,
        body: bytes | None,
        cookies: dict[str, str],
        timeout_s: float,
    ) -> TestResponse:
        client = await self._begin()
        with self._watch_for_errors() as errors:
            fetched = await client.fetch(
                url,
                raise_error=False,
                method=method,
                headers=self._with_cookies(fields, cookies),
                body=body,
                follow_redirects=False,
                allow_nonstandard_methods=True,
                request_timeout=timeout_s,
                ca_certs=self._authority,
            )
        if errors and fetched.code == 500:
            raise errors[0]
        response = TestResponse(fetched)
        self.cookies |= response.cookies
        for name in response.removed:
            self.cookies.pop(name, None)
        return response

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | str | Mapping[str, str] | None = None,
        timeout_s: float = 20.0,
    ) -> AsyncIterator[StreamedResponse]:
        """Ask, and read the content while it comes; at the end of the block the rest is cut off.

        Args:
            method: The method.
            path: Path and query.
            headers: Fields to send.
            json: A value to send as JSON.
            data: Content to send; a mapping is sent as a form.
            timeout_s: Seconds that the whole of it may take.

        Raises:
            HTTPClientError: No response came.
        """
        client = await self._begin()
        fields, body = _content(headers, json, data, None)
        response = StreamedResponse()
        begun = asyncio.Event()
        head: list[str] = []

        def take_head(line: str) -> None:
            head.append(line)
            if line == "\r\n":
                first, *rest = head[:-1]
                parted = (line.rstrip("\r\n").partition(": ") for line in rest)
                received = HTTPHeaders.from_wire((name, value) for name, _, value in parted)
                response.begin(int(first.split(" ", 2)[1]), received)
                begun.set()

        async def fetch() -> None:
            try:
                await client.fetch(
                    self._url(path, None),
                    raise_error=False,
                    method=method,
                    headers=self._with_cookies(fields, {}),
                    body=body,
                    follow_redirects=False,
                    allow_nonstandard_methods=True,
                    decompress_response=False,
                    header_callback=take_head,
                    streaming_callback=response.feed,
                    request_timeout=timeout_s,
                    ca_certs=self._authority,
                )
            finally:
                response.feed(None)
                begun.set()

        fetching = asyncio.ensure_future(fetch())
        try:
            await begun.wait()
            if not response.status:
                await fetching
            yield response
        finally:
            fetching.cancel()
            await asyncio.wait([fetching])
            if not fetching.cancelled():
                # Its fault is the reader's: what was read is all that came.
                fetching.exception()

    @contextlib.asynccontextmanager
    async def websocket(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        subprotocols: list[str] | None = None,
        compression_options: dict[str, Any] | None = None,
        timeout_s: float = 20.0,
    ) -> AsyncIterator[WebSocketClientConnection]:
        """Connect to a WebSocket; at the end of the block it is closed.

        Args:
            path: Path and query.
            headers: Fields to send.
            subprotocols: Offered to the server, in order of preference.
            compression_options: Offer compression, as for `websocket_connect`.
            timeout_s: Seconds that connecting may take.

        Raises:
            HTTPClientError: The server refused; its answer is `response`.

        Example:
            >>> async with client.websocket("/echo") as ws:
            ...     await ws.send("hello")
            ...     assert await ws.read_message() == "hello"
        """
        await self._begin()
        fields = self._with_cookies(HTTPHeaders(dict(headers or {})), {})
        url = "ws" + self._url(path, None).removeprefix("http")
        request = HTTPRequest(url, headers=fields, ca_certs=self._authority)
        connection = await websocket_connect(
            request,
            connect_timeout=timeout_s,
            subprotocols=subprotocols,
            compression_options=compression_options,
        )
        async with connection:
            yield connection

    def _url(self, path: str, params: Mapping[str, str] | None) -> str:
        query = urlencode(params or {})
        joined = path + (("&" if "?" in path else "?") + query if query else "")
        return joined if joined.startswith(self.base_url) else self.base_url + joined

    def _with_cookies(self, fields: HTTPHeaders, more: dict[str, str]) -> HTTPHeaders:
        sent = self.cookies | more
        headers = fields.copy()
        if sent:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in sent.items())
        return headers

    @contextlib.contextmanager
    def _watch_for_errors(self) -> Iterator[list[BaseException]]:
        errors: list[BaseException] = []
        if not self.raise_server_exceptions:
            yield errors
            return

        def note(record: logging.LogRecord) -> bool:
            if record.exc_info and record.exc_info[1] is not None:
                errors.append(record.exc_info[1])
                return False
            return True

        app_log.addFilter(note)
        try:
            yield errors
        finally:
            app_log.removeFilter(note)

    async def get(self, path: str, **options: Any) -> TestResponse:
        """Ask with GET; see `request`."""
        return await self.request("GET", path, **options)

    async def head(self, path: str, **options: Any) -> TestResponse:
        """Ask with HEAD; see `request`."""
        return await self.request("HEAD", path, **options)

    async def options(self, path: str, **options: Any) -> TestResponse:
        """Ask with OPTIONS; see `request`."""
        return await self.request("OPTIONS", path, **options)

    async def post(self, path: str, **options: Any) -> TestResponse:
        """Ask with POST; see `request`."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> TestResponse:
        """Ask with PUT; see `request`."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> TestResponse:
        """Ask with PATCH; see `request`."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> TestResponse:
        """Ask with DELETE; see `request`."""
        return await self.request("DELETE", path, **options)


def _content(
    headers: Mapping[str, str] | None,
    json: Any,
    data: bytes | str | Mapping[str, str] | None,
    files: Mapping[str, File] | None,
) -> tuple[HTTPHeaders, bytes | None]:
    """The fields and the content of a request.

    Raises:
        ValueError: The content is given in more than one way.
    """
    fields = HTTPHeaders(headers or {})
    if json is not None:
        if data is not None or files:
            raise ValueError("a request has JSON, or data and files, not both")
        fields.setdefault("Content-Type", "application/json")
        return fields, json_codec.dumps(json).encode()
    if isinstance(data, Mapping) or files:
        if data is not None and not isinstance(data, Mapping):
            raise ValueError("beside files, data is a mapping: the form's other fields")
        body, kind = encode_form(data or {}, files)
        fields.setdefault("Content-Type", kind)
        return fields, body
    return fields, data.encode() if isinstance(data, str) else data
