"""`TCPServer`: listens, and makes a stream of each connection."""

import inspect
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from eyewall.base.log import gen_log
from eyewall.loop.ioloop import IOLoop
from eyewall.net.accept import add_accept_handler
from eyewall.net.errors import StreamClosedError
from eyewall.net.fork import fork_processes
from eyewall.net.sockets import BACKLOG, bind_sockets
from eyewall.net.stream import IOStream, SSLIOStream
from eyewall.net.tls import server_context


class TCPServer:
    r"""Serves a protocol: override `handle_stream`.

    Args:
        ssl_options: A context with a certificate, or a dictionary for
            `eyewall.net.tls.ssl_options_to_context`; None for no TLS.
        max_buffer_size: For each `IOStream`.
        read_chunk_size: For each `IOStream`.

    Raises:
        ValueError: `ssl_options` has no certificate, or an unknown key.
        OSError: A file of `ssl_options` cannot be read or used.

    Example:
        >>> class Echo(TCPServer):
        ...     async def handle_stream(self, stream, address):
        ...         while True:
        ...             await stream.write(await stream.read_until(b"\n", max_bytes=1024))
    """

    def __init__(
        self,
        ssl_options: Mapping[str, Any] | ssl.SSLContext | None = None,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
    ) -> None:
        self.ssl_options = ssl_options
        self.max_buffer_size = max_buffer_size
        self.read_chunk_size = read_chunk_size
        self._context = None if ssl_options is None else server_context(ssl_options)
        self._bound: list[socket.socket] = []
        self._listening: dict[int, tuple[socket.socket, Callable[[], None]]] = {}
        self._started = False
        self._stopped = False

    def handle_stream(self, stream: IOStream, address: Any) -> Awaitable[None] | None:
        """Serve one connection; a plain method or a coroutine.

        When it raises, that is logged and the stream closed; that the peer has closed the
        stream (`StreamClosedError`) is no error.

        Args:
            stream: The connection; over TLS the handshake may still be going on.
            address: The peer's, as `socket.accept` gives it.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must override handle_stream")

    def listen(
        self,
        port: int,
        address: str | None = None,
        family: int = socket.AF_UNSPEC,
        backlog: int = BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> list[socket.socket]:
        """Accept connections on a port, now.

        Args:
            port: The port; 0 for one that is free.
            address: An address or a name; None or "" for all.
            family: Only IPv4 or only IPv6.
            backlog: Connections that may wait to be accepted.
            flags: For `getaddrinfo`.
            reuse_port: Let several processes listen on the same port.

        Returns:
            The sockets; their `getsockname()` says which port was chosen.

        Raises:
            BindError: As `eyewall.net.sockets.bind_sockets`.
        """
        sockets = bind_sockets(port, address, family, backlog, flags, reuse_port)
        self.add_sockets(sockets)
        return sockets

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on sockets that listen already; `stop` closes them."""
        for sock in sockets:
            sock.setblocking(False)
            stop = add_accept_handler(sock, self._accepted)
            self._listening[sock.fileno()] = (sock, stop)

    def add_socket(self, sock: socket.socket) -> None:
        """As `add_sockets`, with one."""
        self.add_sockets([sock])

    def bind(
        self,
        port: int,
        address: str | None = None,
        family: int = socket.AF_UNSPEC,
        backlog: int = BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Take a port, and accept its connections once `start` is called; as `listen`."""
        sockets = bind_sockets(port, address, family, backlog, flags, reuse_port)
        if self._started:
            self.add_sockets(sockets)
        else:
            self._bound.extend(sockets)

    def start(self, num_processes: int | None = 1, max_restarts: int | None = None) -> None:
        """Accept connections on what was bound, in this process or in several children.

        Args:
            num_processes: 1 for this process; otherwise as `fork_processes`, whose children
                return from here. No loop may run yet.
            max_restarts: As `fork_processes`.

        Raises:
            RuntimeError: It was started already.
        """
        if self._started:
            raise RuntimeError("the server was started already")
        self._started = True
        if num_processes != 1:
            fork_processes(num_processes, max_restarts)
        sockets, self._bound = self._bound, []
        self.add_sockets(sockets)

    def stop(self) -> None:
        """Close the listening sockets; streams go on. Calling it again changes nothing."""
        listening, self._listening = self._listening, {}
        for sock, stop in listening.values():
            stop()
            sock.close()
        bound, self._bound = self._bound, []
        for sock in bound:
            sock.close()

    def _accepted(self, connection: socket.socket, address: Any) -> None:
        stream = self._stream(connection)
        try:
            result = self.handle_stream(stream, address)
        except StreamClosedError as exc:
            _gone(stream, exc)
        except Exception:
            stream.close()
            raise
        else:
            if result is not None and inspect.isawaitable(result):
                loop = IOLoop.current()
                assert loop is not None
                loop.add_callback(_watch, stream, result)

    def _stream(self, connection: socket.socket) -> IOStream:
        sizes: dict[str, Any] = {
            "max_buffer_size": self.max_buffer_size,
            "read_chunk_size": self.read_chunk_size,
        }
        if self._context is None:
            return IOStream(connection, **sizes)
        return SSLIOStream(connection, ssl_options=self._context, server_side=True, **sizes)


async def _watch(stream: IOStream, handling: Awaitable[None]) -> None:
    """Wait for one `handle_stream`; what it raises goes to the loop, which logs it."""
    try:
        await handling
    except StreamClosedError as exc:
        _gone(stream, exc)
    except Exception as exc:
        stream.close(exc)
        raise


def _gone(stream: IOStream, error: StreamClosedError) -> None:
    gen_log.debug("the peer has gone: %s", error)
    stream.close()
