"""`IOStream` and `SSLIOStream`: streams over sockets, without TLS and with it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final, Self

from eyewall.base.log import gen_log
from eyewall.net.base_stream import fail
from eyewall.net.errors import StreamClosedError
from eyewall.net.socket_stream import SocketStream, is_connected
from eyewall.net.tls import TLSSocket, ssl_options_to_context
from eyewall.net.tls_session import TLSSession, TLSTransport
from eyewall.net.wire import SocketWire

HANDSHAKE_TIMEOUT: Final = 60.0
"""Seconds after which a handshake is given up."""


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
            ValueError: A read or a write is under way, or a server has no certificate, or a
                client that checks the name has none.
            ssl.SSLError: In the future, when the handshake fails.
        """
        if self._closed:
            raise StreamClosedError(self.error)
        if self.reading() or self.writing() or self._connected is not None:
            raise ValueError("start_tls needs an idle stream: wait for its reads and writes")
        if ssl_options is None:
            if server_side:
                raise ValueError("a server's start_tls needs ssl_options with a certificate")
            ssl_options = ssl.create_default_context()
        context = ssl_options_to_context(ssl_options, server_side)
        session = TLSSession(context, server_side=server_side, server_hostname=server_hostname)
        stream = SSLIOStream(
            self._socket,
            ssl_options=context,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
            server_side=server_side,
            session=session,
        )
        if self._task is None:
            self._hand_over(stream)
        else:
            # It is going under a transport just now.
            stream.pending = True
            self._task.add_done_callback(lambda _: self._hand_over(stream))
        return stream.wait_for_handshake()

    def _hand_over(self, stream: "SSLIOStream") -> None:
        """Give the connection to the stream that goes on with it."""
        stream.pending = False
        stream.set_close_callback(self._close_callback)
        self._close_callback = None
        if self._closed or stream.closed():
            stream.close(self.error)
            self.close()
            return
        if self._wire is not None:
            self._resume()
            stream.take_over(self._wire, self._writer, bytes(self._buffer))
        else:
            stream.begin()
        self._closed = True
        self._reader = self._writer = None


class SSLIOStream(IOStream):
    """A stream over TLS; it closes when the handshake takes longer than 60 s.

    Args:
        sock: A socket, connected or not; or an `ssl.SSLSocket` whose handshake is still to
            come, whose context and side are taken.
        ssl_options: A context, or a dictionary for `ssl_options_to_context`.
        server_side: Whether this side is the server.
        server_hostname: The name that the certificate is to have; `connect` may give it too.
        session: The connection so far, where something was said already.
        kwargs: As for `BaseIOStream`.

    Raises:
        ValueError: The handshake of the `ssl.SSLSocket` is over; or the socket is connected and
            the name missing, where the context checks it.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        ssl_options: Mapping[str, Any] | ssl.SSLContext | None = None,
        server_side: bool = False,
        server_hostname: str | None = None,
        session: TLSSession | None = None,
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
        self._session = session
        self._handshake: asyncio.Future[Any] | None = None
        self._channel: TLSTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Whether another stream has the connection still.
        self.pending = False
        super().__init__(sock, **kwargs)
        self._server_hostname = server_hostname
        self._view = TLSSocket(sock)
        if session is None and is_connected(sock):
            self._begin_session(server_hostname)
            # Before a loop runs it is not known which one; the first read or write will tell.
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop()
                self._start()

    @property
    def socket(self) -> TLSSocket:
        """The socket, with TLS's `cipher`, `getpeercert`, ... beside its own names."""
        return self._view

    def _named(self, server_hostname: str | None) -> None:
        if self._session is None:
            self._begin_session(server_hostname or self._server_hostname)

    def wait_for_handshake(self) -> "asyncio.Future[Self]":
        """A future of this stream, done when the handshake is.

        Raises:
            RuntimeError: Somebody waits for it already.
            ssl.SSLError: In the future, when the handshake fails.
        """
        if self._handshake is not None:
            raise RuntimeError("somebody waits for the handshake already")
        if self._session is not None and self._session.established:
            return self._done(self)
        future: asyncio.Future[Self] = self._loop.create_future()
        if self._closed:
            fail(future, _reason(self.error))
        else:
            self._handshake = future
            future.add_done_callback(self._connect_cancelled)
            self.begin()
        return future

    def begin(self) -> None:
        """Start, unless that was done or another stream has the connection still."""
        if not self.pending:
            self._start()

    def take_over(self, wire: SocketWire, transport: Any, arrived: bytes) -> None:
        """Go on with the connection of a plain stream, and with what it had received."""
        assert self._session is not None
        self._wire = wire
        wire.sink = self
        if arrived:
            self._session.receive(arrived)
        self._attached(transport, transport)

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes that have arrived; called by the wire."""
        if self._closed or self._session is None:
            return
        self._session.receive(data)
        if self._channel is not None:
            self._advance(self._session, self._channel)

    def _begin_session(self, server_hostname: str | None) -> None:
        self._session = TLSSession(
            self._context, server_side=self._server_side, server_hostname=server_hostname
        )

    def _attached(self, reader: Any, writer: Any) -> None:
        assert self._session is not None
        self._channel = self._reader = TLSTransport(writer, self._session)
        self._timer = self._loop.call_later(HANDSHAKE_TIMEOUT, self._too_slow)
        self._advance(self._session, self._channel)

    def _advance(self, session: TLSSession, channel: TLSTransport) -> None:
        """Do what the bytes that are there allow."""
        try:
            if not session.established:
                if not session.shake_hands():
                    return
                self._established(session, channel)
                if self._closed:
                    return
            before = len(self._buffer)
            goes_on = session.decrypt_into(self._buffer)
        except ssl.SSLError as exc:
            self._broken(exc)
            return
        finally:
            if not self._closed:
                channel.flush()
        if len(self._buffer) != before:
            self._arrived()
        if not goes_on:
            self.ended(None, lost=False)

    def _reached(self) -> None:
        """Before the handshake the stream cannot be used."""
        if self._session is not None and self._session.established:
            super()._reached()

    def _established(self, session: TLSSession, channel: TLSTransport) -> None:
        self._view.ssl_object = session.object
        self._stop_timer()
        super()._attached(channel, channel)
        future, self._handshake = self._handshake, None
        if future is not None and not future.done():
            future.set_result(self)

    def _too_slow(self) -> None:
        self._shut(TimeoutError(f"no TLS handshake within {HANDSHAKE_TIMEOUT:g} s"))

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _broken(self, error: ssl.SSLError) -> None:
        gen_log.warning("SSL Error on %s: %s", self._peer(), error)
        if self._channel is not None:
            # An alert tells the peer why.
            self._channel.flush()
        self._shut(error)

    def _send_early(self, data: bytes) -> int:
        del data
        return 0

    def _peer(self) -> Any:
        try:
            return self._socket.getpeername()
        except OSError:
            return "a closed connection"

    def _shut(self, error: BaseException | None) -> None:
        self._stop_timer()
        waiting = (self._handshake, self._connected)
        self._handshake = self._connected = None
        for future in waiting:
            if future is not None:
                fail(future, _reason(error))
        super()._shut(error)


def _reason(error: BaseException | None) -> BaseException:
    return error if isinstance(error, ssl.SSLError) else StreamClosedError(error)
