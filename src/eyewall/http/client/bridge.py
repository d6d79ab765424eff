"""TLS by Python's `ssl`, for a context that the caller made himself.

The engine speaks TLS by rustls, which cannot take over an `ssl.SSLContext`. Such a connection is
decrypted here, and the engine gets one end of a socket pair.
"""

import asyncio
import socket
import ssl
from typing import Any

from eyewall.http.client.errors import HTTPCertificateError, HTTPTLSError


class _End(asyncio.Protocol):
    """Passes on what comes, as fast as the other end takes it."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        if self.other is not None and self.other.transport.can_write_eof():
            self.other.transport.write_eof()
        # TLS has no half-closed connections; a transport of it closes in any case.
        return self.transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.transport.resume_reading()


async def bridge(sock: socket.socket, context: ssl.SSLContext, host: str) -> socket.socket:
    """Speak TLS on a connected socket; returns one that carries the same in clear text.

    Raises:
        HTTPTLSError: The server and the context do not agree.
    """
    loop = asyncio.get_running_loop()
    try:
        _, far = await loop.create_connection(_End, sock=sock, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise HTTPCertificateError(
            f"the server's certificate cannot be trusted: {error.verify_message}"
        ) from error
    except (ssl.SSLError, OSError) as error:
        raise HTTPTLSError(f"TLS could not be agreed on: {error}") from error
    inner, outer = socket.socketpair()
    inner.setblocking(False)
    try:
        _, near = await loop.create_connection(_End, sock=inner)
    except BaseException:
        far.transport.abort()
        inner.close()
        outer.close()
        raise
    near.other, far.other = far, near
    return outer
