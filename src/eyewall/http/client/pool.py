"""Connections, kept per origin for the next request."""

import asyncio
import contextlib
import socket
from typing import Any, Final, NamedTuple, Protocol

from eyewall.http.client.bridge import bridge
from eyewall.http.client.connect import connect_any, connect_unix
from eyewall.http.client.engine import ClientConnection, ClientTLS, Reactor
from eyewall.http.client.errors import from_engine
from eyewall.http.client.names import NameCache
from eyewall.http.client.proxy import Proxy, tunnel
from eyewall.http.client.tls import PLAIN, TLSOptions, engine_tls

_MOST_KNOWN: Final = 1000
"""Routes that are known to speak no HTTP/2; forgetting them costs a moment's waiting."""

_ALPN: Final = ["h2", "http/1.1"]


class Route(NamedTuple):
    """Where a connection leads, and which way; requests of equal routes share connections."""

    scheme: str
    host: str
    port: int
    tls: TLSOptions = PLAIN
    proxy: Proxy | None = None
    source: str | None = None
    unix: str | None = None
    ipv6: bool = True


class Link:
    """One connection, and whether it may carry the next request."""

    __slots__ = ("conn", "multiplexed", "pool", "route")

    def __init__(self, pool: "Pool", route: Route) -> None:
        self.pool = pool
        self.route = route
        self.conn: Any = None
        self.multiplexed = False

    def closed(self) -> None:
        """The connection is over."""
        self.pool.forget(self)


class Progress(Protocol):
    """Is told what is being done, so that a time-out can say so."""

    phase: str


class Pool:
    """Makes connections, and keeps those that may be used again.

    Args:
        names: Looks hosts up.
        max_idle: HTTP/1.1 connections kept in all.
        idle_s: Seconds that a connection is kept without a request.
        header_bytes: Largest response head.
        http2: Whether to offer HTTP/2 over TLS.
    """

    def __init__(
        self, names: NameCache, *, max_idle: int, idle_s: float, header_bytes: int, http2: bool
    ) -> None:
        self._names = names
        self._max_idle = max_idle
        self._idle_s = idle_s
        self._header_bytes = header_bytes
        self._http2 = http2
        self._free: dict[Route, list[Link]] = {}
        self._aging: dict[Link, None] = {}
        self._all: set[Link] = set()
        self._making: dict[Route, asyncio.Future[None]] = {}
        self._single: set[Route] = set()
        self._tls: dict[TLSOptions, ClientTLS] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._all)

    def take(self, route: Route) -> Link | None:
        """A kept connection, if there is one that can be used."""
        free = self._free.get(route)
        while free:
            link = free[-1]
            if link.multiplexed:
                return link if link.conn.capacity else None
            free.pop()
            del self._aging[link]
            if link.conn.capacity:
                return link
            link.conn.close()
        return None

    def give(self, link: Link) -> None:
        """A request on this connection is over."""
        if link.multiplexed:
            return
        if self._closed or not link.conn.capacity:
            link.conn.close()
            return
        free = self._free.get(link.route)
        if free is None:
            free = self._free[link.route] = []
        free.append(link)
        self._aging[link] = None
        if len(self._aging) > self._max_idle:
            oldest = next(iter(self._aging))
            self.forget(oldest)
            oldest.conn.close()

    def forget(self, link: Link) -> None:
        """Use a connection no more."""
        self._all.discard(link)
        self._aging.pop(link, None)
        free = self._free.get(link.route)
        if free is not None and link in free:
            free.remove(link)
            if not free:
                del self._free[link.route]

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for link in list(self._all):
            link.conn.close()
        self._free.clear()
        self._aging.clear()
        self._all.clear()

    async def connect(self, route: Route, progress: Progress) -> Link:
        """A connection for one more request: a new one, or an HTTP/2 one that has room.

        Args:
            route: Where it leads.
            progress: Is told what is being done.

        Raises:
            HTTPClientError: None can be made; its type says why.
            ValueError: Options of the route cannot be used.
            OSError: A file of certificates cannot be read.
        """
        may_share = self._http2 and route.scheme == "https" and route.tls.context is None
        if not may_share or route in self._single:
            return await self._new(route, progress)
        while route in self._making:
            # It may turn out to be HTTP/2, which has room for all.
            await asyncio.shield(self._making[route])
            link = self.take(route)
            if link is not None:
                return link
            if route in self._single:
                return await self._new(route, progress)
        made = self._making[route] = asyncio.get_running_loop().create_future()
        try:
            link = await self._new(route, progress)
            if not link.multiplexed:
                if len(self._single) >= _MOST_KNOWN:
                    self._single.clear()
                self._single.add(route)
            return link
        finally:
            del self._making[route]
            made.set_result(None)

    async def _new(self, route: Route, progress: Progress) -> Link:
        tls = None
        if route.scheme == "https" and route.tls.context is None:
            # Before anything is connected, because its files may not be there.
            tls = self._engine_tls(route.tls)
        sock = await self._socket(route, progress)
        progress.phase = "while connecting"
        try:
            if route.scheme == "https" and route.tls.context is not None:
                plain = await bridge(sock, route.tls.context, route.host)
                # The bridge's transport owns the other one from here on.
                sock = plain
            if tls is not None:
                progress.phase = f"during TLS handshake with {route.host}:{route.port}"
            return await self._start(route, sock, tls)
        finally:
            sock.close()

    async def _start(self, route: Route, sock: socket.socket, tls: ClientTLS | None) -> Link:
        loop = asyncio.get_running_loop()
        link = Link(self, route)
        ready: asyncio.Future[Exception | None] = loop.create_future()

        def on_ready(failure: Exception | None) -> None:
            if not ready.done():
                ready.set_result(failure)

        link.conn = ClientConnection(
            Reactor.of(loop),
            sock.fileno(),
            tls=tls,
            server_name=route.host,
            on_ready=on_ready if tls is not None else None,
            on_close=link.closed,
            idle_s=self._idle_s,
            header_bytes=self._header_bytes,
        )
        if tls is not None:
            try:
                failure = await ready
            except BaseException:
                link.conn.close()
                raise
            if failure is not None:
                raise from_engine(failure) from None
            link.multiplexed = link.conn.protocol == "h2"
        self._all.add(link)
        if link.multiplexed:
            self._free.setdefault(route, []).append(link)
        return link

    def _engine_tls(self, options: TLSOptions) -> ClientTLS:
        made = self._tls.get(options)
        if made is None:
            protocols = _ALPN if self._http2 else _ALPN[1:]
            made = self._tls[options] = engine_tls(options, protocols)
        return made

    async def _socket(self, route: Route, progress: Progress) -> socket.socket:
        if route.unix is not None:
            return await connect_unix(route.unix)
        proxy = route.proxy
        family = socket.AF_UNSPEC if route.ipv6 else socket.AF_INET
        if proxy is None:
            progress.phase = f"while resolving {route.host}"
            found = await self._names.find(route.host, route.port, family)
            progress.phase = "while connecting"
            return await connect_any(found, route.source)
        host = route.host
        progress.phase = f"while connecting through the proxy {proxy.host}"
        if proxy.kind == "socks5":
            host = str((await self._names.find(host, route.port, family))[0][1][0])
        found = await self._names.find(proxy.host, proxy.port, family)
        sock = await connect_any(found, route.source)
        if proxy.kind == "http" and route.scheme == "http":
            # The proxy itself takes such requests, with the whole URL.
            return sock
        with contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            await tunnel(sock, proxy, host, route.port)
            stack.pop_all()
        return sock
