"""One side of a TLS connection, without I/O: bytes go in, bytes come out."""

import ssl
from typing import Any

_RECORD = 16_384
"""Most bytes that one record carries (RFC 8446, section 5.1)."""


class TLSSession:
    """The handshake, and the two directions of the connection.

    Give it what arrives with `receive`; send what `outgoing` returns after each call of another
    method, also after one that raises: it may be an alert for the peer.

    Args:
        context: The configuration.
        server_side: Whether this side is the server.
        server_hostname: The name that the server's certificate is to have.

    Raises:
        ValueError: The name is missing where the context checks it, or is none.
    """

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None
    ) -> None:
        if context.check_hostname and not server_side and not server_hostname:
            raise ValueError(
                "checking the certificate needs server_hostname; or set check_hostname to False"
            )
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=None if server_side else server_hostname or None,
        )
        self.established = False

    def receive(self, data: Any) -> None:
        """Take bytes of the peer."""
        self._incoming.write(data)

    def outgoing(self) -> bytes:
        """What is to be sent; it is returned once."""
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        """Go on with the handshake; whether it is done.

        Raises:
            ssl.SSLError: It has failed.
        """
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def decrypt_into(self, buffer: bytearray) -> bool:
        """Append what the peer has said to `buffer`; False when it has said that it ends.

        Raises:
            ssl.SSLError: The peer broke the protocol, or sent an alert.
        """
        read, incoming = self.object.read, self._incoming
        try:
            while True:
                data = read(_RECORD)
                if not data:
                    return False
                buffer += data
                if not incoming.pending and not self.object.pending():
                    return True
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLZeroReturnError:
            return False

    def encrypt(self, data: bytes) -> None:
        """Say `data` to the peer.

        Raises:
            ssl.SSLError: The connection is broken.
        """
        view = memoryview(data)
        while view:
            view = view[self.object.write(view) :]

    def end(self) -> None:
        """Say that nothing more comes (RFC 8446, section 6.1); the peer's own end is not awaited."""
        try:
            self.object.unwrap()
        except ssl.SSLError:
            # It wants to read the peer's end, or is broken anyway.
            return


class TLSTransport:
    """A transport that encrypts what is written to it."""

    def __init__(self, transport: Any, session: TLSSession) -> None:
        self._transport = transport
        self._session = session

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        self._session.encrypt(data)
        self.flush()

    def flush(self) -> None:
        """Send what the session has to send."""
        data = self._session.outgoing()
        if data:
            self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        """Encrypted bytes that wait to be sent."""
        size: int = self._transport.get_write_buffer_size()
        return size

    def pause_reading(self) -> None:
        """Hold the peer back."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Let the peer go on."""
        self._transport.resume_reading()

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        closing: bool = self._transport.is_closing()
        return closing

    def close(self) -> None:
        """Say the end and close, once everything is sent."""
        if self._session.established:
            self._session.end()
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()
