"""`LoopAdapter`: how `requests` sends through the non-blocking client."""

import asyncio
import io
import os
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import requests
from certifi import where
from requests.adapters import HTTPAdapter
from requests.utils import rewind_body, select_proxy, urldefragauth
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ProtocolError, ReadTimeoutError
from urllib3.util import Timeout
from urllib3.util.retry import Retry

from eyewall.aio.greenlets import blocking_await, in_greenlet, run_in_greenlet
from eyewall.http.client.errors import (
    HTTPClientError,
    HTTPConnectError,
    HTTPProxyError,
    HTTPReadTimeoutError,
    HTTPTimeoutError,
    HTTPTLSError,
)
from eyewall.http.client.request import BodyProducer, HTTPRequest
from eyewall.http.client.requests_response import LoopResponse
from eyewall.http.client.simple import SimpleAsyncHTTPClient
from eyewall.http.client.streamed import open_stream
from eyewall.http.client.url import parse_url

_PIECE: Final = 64 * 1024


class _Client(SimpleAsyncHTTPClient):
    """The client that all sessions in one loop share, so that they share connections."""


class LoopAdapter(HTTPAdapter):
    """Sends from code in a greenlet through the loop, and from all other code as usual.

    Its arguments are those of `requests.adapters.HTTPAdapter`; the sizes of pools mean nothing
    here. `setup_session` mounts it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._through: dict[str, _Client] = {}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request; returns when the head of the response is there.

        Raises:
            requests.RequestException: No response came; the type is that of `requests`.
        """
        if not in_greenlet():
            others = None if proxies is None else dict(proxies)
            return super().send(request, stream, timeout, verify, cert, others)
        url, options = _options(request, verify, cert)
        connect_s, read_s = _limits(timeout)
        proxy = select_proxy(url, dict(proxies or {}))

        def attempt() -> LoopResponse:
            client = self._client(proxy)
            asked = HTTPRequest(url, connect_timeout=connect_s, request_timeout=0, **options)
            asked.body, asked.body_producer = _content(request)
            response = blocking_await(open_stream(client, asked, read_s, read_s))
            return LoopResponse(response, asked.method, url)

        response = self.build_response(request, self._attempts(request, attempt))
        response.connection = self
        return response

    def close(self) -> None:
        """Close the connections through proxies; the others belong to the loop."""
        for client in self._through.values():
            client.close()
        self._through.clear()
        super().close()

    def _client(self, proxy: str | None) -> _Client:
        if proxy is None:
            return _Client()
        client = self._through.get(proxy)
        if client is None or client.loop is not asyncio.get_running_loop():
            try:
                client = _Client(force_instance=True, proxy=proxy)
            except ValueError as exc:
                raise requests.exceptions.InvalidProxyURL(str(exc)) from exc
            self._through[proxy] = client
        return client

    def _attempts(
        self, request: requests.PreparedRequest, attempt: Callable[[], LoopResponse]
    ) -> LoopResponse:
        """Try as often as `max_retries` says."""
        left: Retry = self.max_retries
        method, url = request.method or "GET", request.url or ""
        while True:
            response = None
            try:
                response = attempt()
            except HTTPClientError as exc:
                failure = _failure(exc, request)
                try:
                    left = left.increment(method, url, error=_cause(exc))
                except Exception as _:  # noqa: BLE001 - it says that this was the last one
                    raise failure from exc
            else:
                if not left.is_retry(method, response.status, "Retry-After" in response.headers):
                    return response
                try:
                    left = left.increment(method, url, response=response)
                except MaxRetryError as exc:
                    if left.raise_on_status:
                        response.close()
                        raise requests.exceptions.RetryError(exc, request=request) from exc
                    return response
                response.close()
            _pause(left, response)
            _rewind(request)


def _limits(timeout: Any) -> tuple[float, float | None]:
    """Seconds for connecting (0 for any time), and of silence."""
    if isinstance(timeout, tuple):
        try:
            connect, read = timeout
        except ValueError:
            raise ValueError(
                f"Invalid timeout {timeout}. Pass a (connect, read) timeout tuple, or a single "
                "float to set both timeouts to the same value."
            ) from None
        timeout = Timeout(connect=connect, read=read)
    elif not isinstance(timeout, Timeout):
        timeout = Timeout(connect=timeout, read=timeout)
    connect, read = timeout.connect_timeout, timeout.read_timeout
    numbers = (int, float)
    return (
        connect if isinstance(connect, numbers) else 0.0,
        read if isinstance(read, numbers) else None,
    )


def _options(
    request: requests.PreparedRequest, verify: bool | str, cert: Any
) -> tuple[str, dict[str, Any]]:
    """The URL, and options of `HTTPRequest`."""
    url = urldefragauth(request.url or "")
    try:
        parse_url(url)
    except ValueError as exc:
        raise requests.exceptions.InvalidURL(str(exc), request=request) from exc
    headers = {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in request.headers.items()
        # The client keeps connections as it sees fit.
        if name.lower() != "connection"
    }
    options: dict[str, Any] = {
        "method": request.method,
        "headers": headers,
        "follow_redirects": False,
        "decompress_response": False,
        "allow_nonstandard_methods": True,
        "validate_cert": bool(verify),
    }
    if url.startswith("https:"):
        options |= _trust(verify, cert)
    return url, options


def _trust(verify: bool | str, cert: Any) -> dict[str, Any]:
    authorities = where() if verify is True else verify or None
    client, key = cert if isinstance(cert, tuple) else (cert, None)
    for path in (authorities, client, key):
        if path and not os.path.exists(path):
            raise OSError(f"there is no file of certificates or keys at {path}")
    if authorities and os.path.isdir(authorities):
        context = ssl.create_default_context(capath=authorities)
        if client:
            context.load_cert_chain(client, key)
        return {"ssl_options": context}
    return {"ca_certs": authorities, "client_cert": client, "client_key": key}


def _content(request: requests.PreparedRequest) -> tuple[bytes | None, BodyProducer | None]:
    body: Any = request.body
    if body is None or isinstance(body, bytes):
        return body, None
    if isinstance(body, str):
        return body.encode(), None
    if isinstance(body, bytearray | memoryview):
        return bytes(body), None

    async def produce(write: Callable[[bytes], Awaitable[None]]) -> None:
        following = _pieces(body)
        while True:
            if isinstance(body, io.BufferedReader):
                piece = await asyncio.to_thread(following)
            else:
                # Code of the program, which may itself wait for something.
                piece = await run_in_greenlet(following)
            if not piece:
                return
            await write(piece.encode() if isinstance(piece, str) else piece)

    return None, produce


def _pieces(body: Any) -> Callable[[], Any]:
    """A function that gives the next piece, and an empty one at the end."""
    if hasattr(body, "read"):
        return lambda: body.read(_PIECE)
    pieces: Iterator[Any] = iter(body)

    def following() -> Any:
        # An empty piece in the middle is not the end.
        return next((piece for piece in pieces if piece), b"")

    return following


def _failure(
    error: HTTPClientError, request: requests.PreparedRequest
) -> requests.RequestException:
    """The exception that `requests` has for it."""
    kinds: list[tuple[type[Exception], type[requests.RequestException]]] = [
        (HTTPReadTimeoutError, requests.exceptions.ReadTimeout),
        (HTTPTimeoutError, requests.exceptions.ConnectTimeout),
        (HTTPProxyError, requests.exceptions.ProxyError),
        (HTTPTLSError, requests.exceptions.SSLError),
    ]
    for kind, meant in kinds:
        if isinstance(error, kind):
            return meant(str(error), request=request)
    return requests.exceptions.ConnectionError(str(error), request=request)


def _cause(error: HTTPClientError) -> Exception:
    """What the counting of attempts knows it as."""
    if isinstance(error, HTTPReadTimeoutError):
        unknown: Any = None
        return ReadTimeoutError(unknown, unknown, str(error))
    if isinstance(error, HTTPConnectError | HTTPTimeoutError):
        return ConnectTimeoutError(str(error))
    return ProtocolError(str(error))


def _pause(left: Retry, response: LoopResponse | None) -> None:
    seconds: float | None = None
    if response is not None and left.respect_retry_after_header:
        seconds = left.get_retry_after(response)
    if seconds is None:
        seconds = left.get_backoff_time()
    if seconds > 0:
        blocking_await(asyncio.sleep(seconds))


def _rewind(request: requests.PreparedRequest) -> None:
    if isinstance(getattr(request, "_body_position", None), int):
        rewind_body(request)
