"""`IOStream` and `SSLIOStream`: streams over sockets, without TLS and with it."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Self

from eyewall.base.log import gen_log
from eyewall.net.base_stream import fail
from eyewall.net.errors import StreamClosedError
from eyewall.net.socket_stream import SocketStream
from eyewall.net.tls import TLSSocket, ssl_options_to_context
from eyewall.net.wire import SocketWire


class IOStream(SocketStream):
    r"""A stream over a TCP or Unix socket.

    Example:
        >>> async def greeting(host: str) -> bytes:
        ...     stream = IOStream(socket.socket())
        ...     await stream.connect((host, 25))
        ...     return await stream.read_until(b"\r\n", max_bytes=512)
    """

    def start_tls(
        self,
        server_side: bool,
        ssl_options: Mapping[str, Any] | ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> "asyncio.Future[SSLIOStream]":
        """Go over to TLS; this stream ends, and the future gives the new one.

        Bytes that have arrived and were not read are taken as the beginning of the handshake,
        never as what comes after it (the injection that RFC 3207, section 6, warns of).

        Args:
            server_side: Whether this side is the server.
            ssl_options: A context, or a dictionary for `ssl_options_to_context`; a client that
                gives none checks the certificate against the system's authorities.
            server_hostname: The name that the certificate is to have.

        Raises:
            StreamClosedError: The stream is closed.
            ValueError: A read or a write is under way, or a server has no certificate.
            ssl.SSLError: In the future, when the handshake fails.
        """
        if self._closed:
            raise StreamClosedError(self.error)
        if self.reading() or self.writing() or self._task is not None:
            raise ValueError("start_tls needs an idle stream: wait for its reads and writes")
        if ssl_options is None:
            if server_side:
                raise ValueError("a server's start_tls needs ssl_options with a certificate")
            ssl_options = ssl.create_default_context()
        stream = SSLIOStream(
            self._socket,
            ssl_options=ssl_options_to_context(ssl_options, server_side),
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
            server_side=server_side,
            server_hostname=server_hostname,
            start=False,
        )
        transport, self._writer, self._reader = self._writer, None, None
        stream.take_over(self._loop, transport, bytes(self._buffer))
        stream.set_close_callback(self._close_callback)
        self._close_callback = None
        self._closed = True
        return stream.wait_for_handshake()


class SSLIOStream(IOStream):
    """A stream over TLS.

    Args:
        sock: A socket, connected or not; or an `ssl.SSLSocket` whose handshake is still to
            come, whose context and side are taken.
        ssl_options: A context, or a dictionary for `ssl_options_to_context`.
        server_side: Whether this side is the server.
        server_hostname: The name that the certificate is to have; `connect` may give it too.
        start: Begin the handshake now, when the socket is connected.
        kwargs: As for `BaseIOStream`.

    Raises:
        ValueError: The handshake of the `ssl.SSLSocket` is over.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        ssl_options: Mapping[str, Any] | ssl.SSLContext | None = None,
        server_side: bool = False,
        server_hostname: str | None = None,
        start: bool = True,
        **kwargs: Any,
    ) -> None:
        if isinstance(sock, ssl.SSLSocket):
            if sock.version() is not None:
                raise ValueError("give the socket before its handshake, or the plain socket")
            ssl_options, server_side = sock.context, bool(sock.server_side)
            server_hostname = sock.server_hostname
            sock = socket.socket(sock.family, sock.type, sock.proto, sock.detach())
        self._context = ssl_options_to_context(ssl_options or {}, server_side)
        self._server_side = server_side
        self._handshake: asyncio.Future[Any] | None = None
        self._handshake_error: BaseException | None = None
        self._old: tuple[Any, bytes] | None = None
        super().__init__(sock, **kwargs)
        self._server_hostname = server_hostname
        self._view = TLSSocket(sock)
        if start and _is_connected(sock):
            self._start()

    @property
    def socket(self) -> TLSSocket:
        """The socket, with TLS's `cipher`, `getpeercert`, ... beside its own names."""
        return self._view

    def wait_for_handshake(self) -> "asyncio.Future[Self]":
        """A future of this stream, done when the handshake is.

        Raises:
            RuntimeError: Somebody waits for it already.
            ssl.SSLError: In the future, when the handshake fails.
        """
        if self._handshake is not None:
            raise RuntimeError("somebody waits for the handshake already")
        if self._wire is not None:
            return self._done(self)
        future: asyncio.Future[Self] = self._loop.create_future()
        if self._closed:
            fail(future, self._handshake_error or StreamClosedError(self.error))
        else:
            self._handshake = future
            future.add_done_callback(self._connect_cancelled)
            self._start()
        return future

    def take_over(self, loop: asyncio.AbstractEventLoop, transport: Any, arrived: bytes) -> None:
        """Go on with the transport of a plain stream, and with what it had received."""
        self._own_loop = loop
        if transport is not None:
            self._old = (transport, arrived)
        self._start()

    def _attached(self, reader: Any, writer: Any) -> None:
        self._view.ssl_object = writer.get_extra_info("ssl_object")
        future, self._handshake = self._handshake, None
        if future is not None and not future.done():
            future.set_result(self)
        super()._attached(reader, writer)

    async def _transport(self, wire: SocketWire) -> Any:
        loop, name = self._loop, self._server_hostname
        if not self._server_side and name is None and self._context.check_hostname:
            raise ValueError(
                "checking the certificate needs server_hostname; or set check_hostname to False"
            )
        if self._old is not None:
            return await self._upgrade(wire)
        transport: Any
        if self._server_side:
            transport, _ = await loop.connect_accepted_socket(
                lambda: wire, self._socket, ssl=self._context
            )
        elif self._socket.family == socket.AF_UNIX:
            transport, _ = await loop.create_unix_connection(
                lambda: wire, sock=self._socket, ssl=self._context, server_hostname=name or ""
            )
        else:
            transport, _ = await loop.create_connection(
                lambda: wire, sock=self._socket, ssl=self._context, server_hostname=name or ""
            )
        return transport

    async def _upgrade(self, wire: SocketWire) -> Any:
        assert self._old is not None
        transport, arrived = self._old
        loop = self._loop
        if arrived:
            # The first turn puts TLS on the transport, the second has it begin: then it takes
            # bytes.
            loop.call_soon(loop.call_soon, _replay, transport, arrived)
        try:
            encrypted = await loop.start_tls(
                transport,
                wire,
                self._context,
                server_side=self._server_side,
                server_hostname=None if self._server_side else self._server_hostname or "",
            )
        except BaseException:
            transport.abort()
            raise
        # `start_tls` tells the protocol nothing of its new transport.
        assert encrypted is not None
        wire.connection_made(encrypted)
        return encrypted

    def _send_early(self, data: bytes) -> int:
        del data
        return 0

    def _connect_failed(self, error: BaseException) -> None:
        self._handshake_error = self._connect_error(error)
        future, self._handshake = self._handshake, None
        if future is not None:
            fail(future, self._handshake_error)
        if isinstance(error, ssl.SSLError):
            gen_log.warning("SSL Error on %s: %s", self._peer(), error)
        super()._connect_failed(error)

    def _connect_error(self, error: BaseException) -> BaseException:
        certain = isinstance(error, (ssl.SSLError, ValueError))
        return error if certain else StreamClosedError(error)

    def _peer(self) -> Any:
        try:
            return self._socket.getpeername()
        except OSError:
            return "a closed connection"

    def _shut(self, error: BaseException | None) -> None:
        future, self._handshake = self._handshake, None
        if future is not None:
            fail(future, StreamClosedError(error))
        super()._shut(error)


def _replay(transport: Any, arrived: bytes) -> None:
    """Give bytes to the TLS protocol of a transport as if they arrived now."""
    protocol = transport.get_protocol()
    while arrived and not transport.is_closing():
        target = protocol.get_buffer(len(arrived))
        count = min(len(target), len(arrived))
        target[:count] = arrived[:count]
        protocol.buffer_updated(count)
        arrived = arrived[count:]


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
