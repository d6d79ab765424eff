"""`Session`: the modern form of the client."""

import asyncio
import contextlib
import copy
import netrc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from eyewall.http.client.assemble import Parts, absolute, assemble
from eyewall.http.client.circuit import CircuitBreaker, CircuitState
from eyewall.http.client.cookies import Cookies
from eyewall.http.client.errors import HTTPClientError, HTTPRedirectError
from eyewall.http.client.redirects import REDIRECTS, follow
from eyewall.http.client.request import HTTPRequest, copied
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.retry import Retry
from eyewall.http.client.simple import SimpleAsyncHTTPClient
from eyewall.http.client.streamed import StreamedResponse, open_stream
from eyewall.http.client.url import parse_url

_ONCE: Final = Retry(attempts=1)
_MOST_BREAKERS: Final = 1000
_PARTS: Final = frozenset(Parts.__struct_fields__)

R = TypeVar("R", HTTPResponse, StreamedResponse)


class Session:
    """Asks servers, with what the requests of a program have in common.

    Use it as `async with Session(...) as session:`, or close it. A status that is no success is
    returned, not raised; `response.rethrow()` raises it.

    Args:
        base_url: What URLs that are not absolute are under.
        headers: Fields for every request. `Authorization` and `Cookie` among them go only to the
            origin of `base_url`, where there is one.
        cookies: Keep and send cookies, in this jar; False for none.
        retry: When to try again; a number of attempts, or None for never.
        auth: Name and password for every request to the origin of `base_url`.
        netrc_file: Take names and passwords from such a file; True for the user's.
        timeout_s: Seconds for each attempt until the response is complete; of a stream until
            its head is there. 0 for any time.
        max_redirects: How many redirects to follow; 0 for none.
        trust_env: Go through the proxies that the environment names.
        max_clients: Requests under way at once; streams do not count.
        breaker: Makes a circuit breaker, of which each origin then has one.
        options: More options of `SimpleAsyncHTTPClient`.

    Raises:
        ValueError: An option cannot be used.
        OSError: The netrc file cannot be read.

    Example:
        async with Session("https://api.example/v1", retry=3) as session:
            users = (await session.get("users", params={"page": 2})).json()
    """

    def __init__(  # noqa: PLR0913 - a client's options
        self,
        base_url: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        cookies: bool | Cookies = True,
        retry: Retry | int | None = None,
        auth: tuple[str, str] | None = None,
        netrc_file: bool | str | Path = False,
        timeout_s: float = 20.0,
        max_redirects: int = 10,
        trust_env: bool = True,
        max_clients: int = 100,
        breaker: Callable[[], CircuitBreaker] | None = None,
        **options: Any,
    ) -> None:
        if base_url:
            parse_url(base_url)
        self.base_url = base_url
        self.headers = copied(headers)
        self.cookies = (Cookies() if cookies else None) if isinstance(cookies, bool) else cookies
        self.retry = Retry(attempts=retry) if isinstance(retry, int) else retry or _ONCE
        self.max_redirects = max_redirects
        self._auth = auth
        self._timeout_s = timeout_s
        self._netrc = _read_netrc(netrc_file)
        self._make_breaker = breaker
        self._breakers: dict[tuple[str, str, int], CircuitBreaker] = {}
        self._http = SimpleAsyncHTTPClient(
            force_instance=True, max_clients=max_clients, trust_env=trust_env, **options
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def stats(self) -> dict[str, int]:
        """Figures of the client; see `SimpleAsyncHTTPClient.stats`."""
        return self._http.stats()

    async def request(self, method: str, url: str, **options: Any) -> HTTPResponse:
        """Ask, and return the response with all of its content.

        Args:
            method: The method.
            url: The URL; under `base_url` where it is not absolute.
            options: Fields of `Parts` (`params`, `headers`, `content`, `json`, `form`, `files`),
                `max_redirects`, and options of `HTTPRequest`.

        Raises:
            HTTPClientError: No response came; the type says why.
            ValueError: The request cannot be sent.
        """
        request, redirects = self._assemble(method, url, options)

        async def send(asked: HTTPRequest) -> HTTPResponse:
            return await self._http.fetch(asked, raise_error=False)

        return await self._run(request, redirects, send)

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, url: str, *, idle_timeout_s: float | None = 60.0, **options: Any
    ) -> AsyncIterator[StreamedResponse]:
        """Ask, and give the response as soon as its head is there.

        The connection is given back, or ended, with the block.

        Args:
            method: The method.
            url: As for `request`.
            idle_timeout_s: Seconds that the server may be silent in the middle; None for any time.
            options: As for `request`.

        Raises:
            HTTPClientError: No response came; the type says why.
            ValueError: The request cannot be sent.
        """
        request, redirects = self._assemble(method, url, options)

        async def send(asked: HTTPRequest) -> StreamedResponse:
            return await open_stream(self._http, asked, idle_timeout_s)

        response = await self._run(request, redirects, send)
        try:
            yield response
        finally:
            response.close()

    async def get(self, url: str, **options: Any) -> HTTPResponse:
        """Ask with GET; see `request`."""
        return await self.request("GET", url, **options)

    async def head(self, url: str, **options: Any) -> HTTPResponse:
        """Ask with HEAD; see `request`."""
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Any) -> HTTPResponse:
        """Ask with OPTIONS; see `request`."""
        return await self.request("OPTIONS", url, **options)

    async def post(self, url: str, **options: Any) -> HTTPResponse:
        """Ask with POST; see `request`."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Any) -> HTTPResponse:
        """Ask with PUT; see `request`."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Any) -> HTTPResponse:
        """Ask with PATCH; see `request`."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Any) -> HTTPResponse:
        """Ask with DELETE; see `request`."""
        return await self.request("DELETE", url, **options)

    def _assemble(self, method: str, url: str, options: dict[str, Any]) -> tuple[HTTPRequest, int]:
        parts = Parts(**{name: options.pop(name) for name in _PARTS & options.keys()})
        redirects = options.pop("max_redirects", self.max_redirects)
        options = {"request_timeout": self._timeout_s, **options, "follow_redirects": False}
        target = absolute(self.base_url, url, parts.params)
        known = self._credentials(target)
        if known is not None and options.get("auth_username") is None:
            options["auth_username"], options["auth_password"] = known
        request = assemble(method, target, parts, self.headers, self.base_url, options)
        return request, redirects

    def _credentials(self, url: str) -> tuple[str, str] | None:
        target = parse_url(url)
        if self._auth is not None and (
            not self.base_url or target.origin == parse_url(self.base_url).origin
        ):
            return self._auth
        if self._netrc is None or target.user is not None:
            return None
        found = self._netrc.authenticators(target.host)
        return None if found is None else (found[0], found[2] or "")

    async def _run(
        self, request: HTTPRequest, redirects: int, send: Callable[[HTTPRequest], Awaitable[R]]
    ) -> R:
        followed = 0
        while True:
            response = await self._attempts(request, send)
            if self.cookies is not None:
                self.cookies.learn(request.url, response.headers)
            location = response.headers.get("Location")
            if response.code not in REDIRECTS or location is None or redirects == 0:
                return response
            _drop(response)
            if followed == redirects:
                text = f"there are more redirects than the {redirects} that are allowed"
                raise HTTPRedirectError(response.code, text)
            followed += 1
            request = follow(request, response.code, location)

    async def _attempts(
        self, request: HTTPRequest, send: Callable[[HTTPRequest], Awaitable[R]]
    ) -> R:
        attempt = 0
        while True:
            attempt += 1
            try:
                response = await self._guarded(self._with_cookies(request), send)
            except HTTPClientError as error:
                pause = self.retry.after_error(request.method, error, attempt)
                if pause is None or not _is_repeatable(request):
                    raise
            else:
                wanted = response.headers.get("Retry-After")
                pause = self.retry.after_status(request.method, response.code, wanted, attempt)
                if pause is None or not _is_repeatable(request):
                    return response
                _drop(response)
            await asyncio.sleep(pause)

    async def _guarded(
        self, request: HTTPRequest, send: Callable[[HTTPRequest], Awaitable[R]]
    ) -> R:
        if self._make_breaker is None:
            return await send(request)
        origin = parse_url(request.url).origin
        breaker = self._breakers.get(origin)
        if breaker is None:
            if len(self._breakers) >= _MOST_BREAKERS:
                self._forget_breakers()
            breaker = self._breakers[origin] = self._make_breaker()
        trying = breaker.enter()
        try:
            response = await send(request)
        except HTTPClientError:
            breaker.leave(is_failure=True, was_trying=trying)
            raise
        except BaseException:
            breaker.forget(was_trying=trying)
            raise
        breaker.leave(is_failure=response.code >= 500, was_trying=trying)
        return response

    def _forget_breakers(self) -> None:
        """Keep those that know something."""
        for origin, breaker in list(self._breakers.items()):
            if breaker.state is CircuitState.CLOSED:
                del self._breakers[origin]

    def _with_cookies(self, request: HTTPRequest) -> HTTPRequest:
        kept = None if self.cookies is None else self.cookies.field(request.url)
        if kept is None:
            return request
        headers = copied(request.headers)
        given = headers.get("Cookie")
        headers["Cookie"] = kept if given is None else f"{given}; {kept}"
        request = copy.copy(request)
        request.headers = headers
        return request


def _drop(response: HTTPResponse | StreamedResponse) -> None:
    if isinstance(response, StreamedResponse):
        response.close()


def _is_repeatable(request: HTTPRequest) -> bool:
    """What is produced while it is sent may not be there a second time; files are."""
    return request.body_producer is None or "Content-Length" in request.headers


def _read_netrc(file: bool | str | Path) -> netrc.netrc | None:
    if file is False:
        return None
    try:
        return netrc.netrc(None if file is True else str(file))
    except netrc.NetrcParseError as error:
        raise ValueError(f"the netrc file cannot be read: {error}") from error
