"""`TCPClient`: connects to a host by its name."""

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

from eyewall.net.happy_eyeballs import first_connected
from eyewall.net.resolver import Resolver
from eyewall.net.stream import IOStream
from eyewall.net.tls import ssl_options_to_context


class TCPClient:
    """Makes streams to hosts.

    Args:
        resolver: Looks up names; None for `Resolver()`, which `close` closes then.
    """

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._own = resolver is None
        self.resolver = Resolver() if resolver is None else resolver

    def close(self) -> None:
        """Close the resolver, if it is the client's own; streams go on."""
        if self._own:
            self.resolver.close()

    async def connect(
        self,
        host: str,
        port: int,
        af: int = socket.AF_UNSPEC,
        ssl_options: Mapping[str, Any] | ssl.SSLContext | None = None,
        max_buffer_size: int | None = None,
        source_ip: str | None = None,
        source_port: int | None = None,
        timeout: float | datetime.timedelta | None = None,  # noqa: ASYNC109 - all steps share it
    ) -> IOStream:
        """Connect to a host; of its addresses the one is taken that answers first (RFC 8305).

        Args:
            host: A name or an address; over TLS the certificate is to have it.
            port: The port.
            af: Only IPv4 or only IPv6.
            ssl_options: Speak TLS, as `IOStream.start_tls` takes it.
            max_buffer_size: For the stream.
            source_ip: The address to connect from.
            source_port: The port to connect from.
            timeout: Seconds, or a timedelta, for all of it together.

        Returns:
            The stream; with `ssl_options` an `SSLIOStream` whose handshake is done.

        Raises:
            OSError: The name cannot be looked up, or nobody answers there
                (`StreamClosedError`, whose `real_error` says why).
            TimeoutError: It took too long; the message says with what.
            ssl.SSLError: The handshake fails.
        """
        context = None if ssl_options is None else ssl_options_to_context(ssl_options, False)
        deadline = _Deadline(timeout)
        async with deadline.during(f"while resolving {host}"):
            addresses = await self.resolver.resolve(host, port, af)

        async def connect(family: int, address: Any) -> IOStream:
            stream, connected = self._create_stream(
                max_buffer_size, family, address, source_ip, source_port
            )
            try:
                await connected
            except BaseException:
                stream.close()
                raise
            return stream

        names = ", ".join(sorted(format_address(address) for _, address in addresses))
        async with deadline.during(f"while connecting to {names}"):
            stream = await first_connected(list(addresses), connect)
        if context is not None:
            async with deadline.during(f"during TLS handshake with {_peer(stream)}"):
                return await stream.start_tls(False, context, host)
        return stream

    def _create_stream(
        self,
        max_buffer_size: int | None,
        af: int,
        addr: Any,
        source_ip: str | None = None,
        source_port: int | None = None,
    ) -> tuple[IOStream, Awaitable[IOStream]]:
        """A stream that is being connected, and the future of that."""
        sock = socket.socket(af, socket.SOCK_STREAM)
        try:
            if source_ip is not None or source_port is not None:
                anywhere = "::" if af == socket.AF_INET6 else ""
                sock.bind((source_ip or anywhere, source_port or 0))
            stream = IOStream(sock, max_buffer_size=max_buffer_size)
        except OSError:
            sock.close()
            raise
        return stream, stream.connect(addr)


class _Deadline:
    """One time-out over several steps."""

    def __init__(self, timeout: float | datetime.timedelta | None) -> None:
        if isinstance(timeout, datetime.timedelta):
            timeout = timeout.total_seconds()
        loop = asyncio.get_running_loop()
        self._when = None if timeout is None else loop.time() + timeout

    @contextlib.asynccontextmanager
    async def during(self, step: str) -> AsyncIterator[None]:
        """End the block at the deadline, with an error that names the step."""
        limit = asyncio.timeout_at(self._when)
        try:
            async with limit:
                yield
        except TimeoutError as exc:
            if not limit.expired():
                # The system's own time-out.
                raise
            raise TimeoutError(f"Timeout {step}") from exc


def format_address(address: Any) -> str:
    """An address of a socket for people to read: `host:port`, `[IPv6]:port`, or a path."""
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _peer(stream: IOStream) -> str:
    try:
        return format_address(stream.socket.getpeername())
    except OSError:
        return "a peer that has gone"
