"""`HTTPServer`: listen, serve, stop."""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from eyewall.http.server.decompress import decompressing
from eyewall.http.server.engine import DEFAULT_LIMITS, Reactor, Server, TLSConfig
from eyewall.http.server.notices import NoticeLog
from eyewall.http.server.tls import from_ssl_options
from eyewall.loop.ioloop import IOLoop
from eyewall.net.sockets import bind_sockets, bind_unix_socket

_TOTALS: Final = ("requests", "refused")
_BODY_BYTES: Final = DEFAULT_LIMITS["body_bytes"]


class HTTPServer:
    """Serves an application on the current event loop.

    Args:
        app: Called with each exchange as soon as the request's head has come: an
            `eyewall.web.Application`, or any function.
        ssl_options: Tornado's dictionary (certfile, keyfile, cert_reqs, ca_certs), or a
            `TLSConfig`; None for clear text.
        protocols: Of "h2" and "http/1.1".
        xheaders: Believe forwarding headers of everyone who may connect; better name the
            proxies in `trusted`.
        trusted: Addresses, networks, "unix" or "*" whose forwarding headers are believed.
        trusted_downstream: Tornado's name for more of them.
        proxy_protocol: Expect PROXY protocol headers from trusted peers.
        server_header: Value of the `Server` header; None sends none.
        max_body_size: Largest body in bytes, where the handler does not say.
        max_header_size: Largest header section in bytes.
        idle_connection_timeout: Seconds that a connection may idle between requests.
        decompress_request: Decode request bodies in gzip; `max_body_size` holds for the
            decoded body too.
        limits: Any other limit, by the names of `eyewall.http.server.engine.DEFAULT_LIMITS`.

    Example:
        >>> server = HTTPServer(lambda exchange: exchange.respond(200, {}, b"hello"))
    """

    def __init__(  # noqa: PLR0913 - the options of a server
        self,
        app: Callable[[Any], object],
        *,
        ssl_options: Mapping[str, Any] | TLSConfig | None = None,
        protocols: Sequence[str] = ("h2", "http/1.1"),
        xheaders: bool = False,
        trusted: Iterable[str] = (),
        trusted_downstream: Iterable[str] | None = None,
        proxy_protocol: bool = False,
        server_header: str | None = "Eyewall",
        max_body_size: int | None = None,
        max_header_size: int | None = None,
        idle_connection_timeout: float | None = None,
        decompress_request: bool = False,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self.app = app
        names = [*trusted, *(trusted_downstream or ())]
        chosen: dict[str, float] = dict(limits or {})
        named = {
            "body_bytes": max_body_size,
            "header_bytes": max_header_size,
            "keep_alive_s": idle_connection_timeout,
        }
        chosen |= {name: value for name, value in named.items() if value is not None}
        if ssl_options is None or isinstance(ssl_options, TLSConfig):
            tls = ssl_options
        else:
            tls = from_ssl_options(ssl_options, protocols)
        self._options: dict[str, Any] = {
            "tls": tls,
            "protocols": list(protocols),
            "proxy_protocol": proxy_protocol,
            "trusted": names or (["*"] if xheaders else []),
            "server_header": server_header,
            "limits": chosen,
            "on_notice": NoticeLog(),
        }
        if decompress_request:
            self.app = decompressing(app, int(chosen.get("body_bytes", _BODY_BYTES)))
        self._servers: list[Server] = []
        self._past = dict.fromkeys(_TOTALS, 0)
        self._diverted: Callable[[Any], object] | None = None
        self._bound: list[socket.socket] = []

    def listen(self, port: int, address: str | None = None, **options: Any) -> list[socket.socket]:
        """Listen on a TCP port and serve; returns the sockets' own handles for their names.

        Raises:
            StartupError: The port cannot be used.
        """
        sockets = bind_sockets(port, address, **options)
        self.add_sockets(sockets)
        return sockets

    def listen_unix(self, path: str, *, mode: int = 0o600) -> socket.socket:
        """Listen on a Unix socket and serve.

        Raises:
            StartupError: The path cannot be used.
        """
        sock = bind_unix_socket(path, mode=mode)
        self.add_socket(sock)
        return sock

    def bind(self, port: int, address: str | None = None, **options: Any) -> None:
        """Listen on a TCP port, and serve once `start` is called."""
        self._bound.extend(bind_sockets(port, address, **options))

    def start(self) -> None:
        """Serve what was bound."""
        bound, self._bound = self._bound, []
        self.add_sockets(bound)

    def add_socket(self, sock: socket.socket) -> None:
        """Serve on a listening socket."""
        self.add_sockets([sock])

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Serve on listening sockets; the engine uses duplicates of their descriptors."""
        reactor = Reactor.of(_current_loop())
        fds = [sock.fileno() for sock in sockets]
        self._servers.append(Server(reactor, fds, self._diverted or self.app, **self._options))

    def divert(self, to: Callable[[Any], object] | None) -> None:
        """Give exchanges to another function than the application; None ends that.

        Without it, nothing stands between the engine and the application.
        """
        self._diverted = to
        for server in self._servers:
            server.set_on_exchange(to or self.app)

    def set_tls(self, tls: TLSConfig) -> None:
        """Use these certificates for connections from now on."""
        self._options["tls"] = tls
        for server in self._servers:
            server.set_tls(tls)

    def stop(self) -> None:
        """Accept no more connections; those that are open go on."""
        for server in self._servers:
            server.stop_accepting()
        for sock in self._bound:
            sock.close()
        self._bound.clear()

    async def drain(self, deadline_s: float = 30.0) -> None:
        """Accept no more, and return when every connection is done.

        Running requests finish, idle connections close, HTTP/2 clients are told to go. What is
        open after `deadline_s` seconds is cut. An application that has a method `leave` is told
        first, so that it can end answers that would go on for long.
        """
        self.stop()
        leave: Callable[[], object] | None = getattr(self.app, "leave", None)
        if leave is not None:
            leave()
        loop = asyncio.get_running_loop()
        done: list[asyncio.Future[None]] = [loop.create_future() for _ in self._servers]
        for server, future in zip(self._servers, done, strict=True):
            server.drain(deadline_s, partial(_settle, future))
        if done:
            await asyncio.wait(done)
        self.close()

    async def close_all_connections(self) -> None:
        """Cut every connection."""
        self.close()

    def close(self) -> None:
        """Accept no more, and cut every connection."""
        self.stop()
        for server in self._servers:
            server.close()
            for name in _TOTALS:
                self._past[name] += server.stats()[name]
        self._servers.clear()

    def stats(self) -> dict[str, int]:
        """`connections`, `exchanges` under way, `requests` and `refused` so far."""
        total = {"connections": 0, "exchanges": 0, **self._past}
        for server in self._servers:
            for name, value in server.stats().items():
                total[name] += value
        return total


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _current_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        current = IOLoop.current()
        if current is None:
            raise RuntimeError("there is no event loop") from None
        return current.asyncio_loop
