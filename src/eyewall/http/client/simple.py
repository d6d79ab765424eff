"""`SimpleAsyncHTTPClient`: the client on the engine."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.fetch import Fetch
from eyewall.http.client.figures import clients
from eyewall.http.client.names import NameCache, ResolverLike
from eyewall.http.client.pool import Pool, Route
from eyewall.http.client.proxy import environment_proxies, one_proxy
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse

if TYPE_CHECKING:
    from eyewall.http.client.prepare import Prepared


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """Fetches over HTTP/1.1 and HTTP/2, on connections that live in the engine."""

    pool: Pool
    max_clients: int
    max_body_size: int
    queue: deque[Fetch]

    def initialize(  # type: ignore[override] # noqa: PLR0913 - its options, not any
        self,
        *,
        max_clients: int = 10,
        hostname_mapping: dict[Any, Any] | None = None,
        max_buffer_size: int = 100 * 1024 * 1024,
        resolver: ResolverLike | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int = 65536,
        max_body_size: int | None = None,
        max_idle: int | None = None,
        idle_timeout: float = 55.0,
        dns_ttl: float = 30.0,
        http2: bool = True,
        unix_socket: str | None = None,
        crl_file: str | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
    ) -> None:
        """Take the options.

        Args:
            max_clients: Fetches under way at once; more wait for a place, at most their
                `connect_timeout`.
            hostname_mapping: Names, or (name, port), and what to connect to instead.
            max_buffer_size: Largest content in bytes, where `max_body_size` is not given.
            resolver: Looks names up instead of the system.
            defaults: Values of `HTTPRequest` fields that a request leaves at None.
            max_header_size: Largest response head in bytes.
            max_body_size: Largest content in bytes, before and after decompression.
            max_idle: Idle connections kept in all; None for `max_clients`.
            idle_timeout: Seconds that an idle connection is kept.
            dns_ttl: Seconds that addresses of a name are kept.
            http2: Whether to offer HTTP/2 over TLS.
            unix_socket: Path of a Unix socket to connect to, whatever host a URL names.
            crl_file: File of revocation lists; certificates on them are refused.
            proxy: URL of a proxy for all: http://, socks5:// (names are looked up here) or
                socks5h:// (by the proxy).
            trust_env: Go through the proxies that the environment names.

        Raises:
            ValueError: An option cannot be used.
        """
        super().initialize(defaults=defaults)
        self.defaults["unix_socket"] = unix_socket
        self.defaults["crl_file"] = crl_file
        by_environment = trust_env and proxy is None
        self.defaults["proxy_for"] = environment_proxies() if by_environment else one_proxy(proxy)
        self.max_clients = max_clients
        self.max_body_size = max_buffer_size if max_body_size is None else max_body_size
        self.queue = deque()
        self._running: set[Fetch] = set()
        self._fetches = 0
        self.plans: dict[str, tuple[Route, Prepared]] = {}
        """Routes and prepared requests of plain requests by their URLs."""
        clients.add(self)
        self.pool = Pool(
            NameCache(dns_ttl, resolver, hostname_mapping),
            max_idle=max_clients if max_idle is None else max_idle,
            idle_s=idle_timeout,
            header_bytes=max_header_size,
            http2=http2,
        )

    def close(self) -> None:
        """Close every connection; fetches under way fail, and no more are begun."""
        super().close()
        self.pool.close()

    def stats(self) -> dict[str, int]:
        """Figures: `fetches` (in all), `running`, `queued` and `connections` (now)."""
        return {
            "fetches": self._fetches,
            "running": len(self._running),
            "queued": len(self.queue),
            "connections": len(self.pool),
        }

    def failed(self, error: BaseException) -> None:
        """Called with what a fetch failed with; a subclass may log it."""

    def begin(self, request: HTTPRequest, raise_error: bool) -> asyncio.Future[HTTPResponse]:
        """Start a fetch, or put it in the queue."""
        fetch = Fetch(self, request, raise_error)
        self._fetches += 1
        if len(self._running) < self.max_clients:
            self._running.add(fetch)
            fetch.begin()
            return fetch
        self.queue.append(fetch)
        limits = [
            limit
            for name in ("connect_timeout", "request_timeout")
            if (limit := request.option(name, self.defaults))
        ]
        if limits:
            fetch.timer = self.loop.call_later(min(limits), fetch.expire)
        return fetch

    def leave(self, fetch: Fetch) -> None:
        """A fetch is over: its place is the next one's."""
        if fetch not in self._running:
            if fetch.timer is not None:
                fetch.timer.cancel()
            if fetch in self.queue:
                self.queue.remove(fetch)
            return
        self._running.discard(fetch)
        while self.queue and len(self._running) < self.max_clients:
            following = self.queue.popleft()
            self._running.add(following)
            following.begin()
