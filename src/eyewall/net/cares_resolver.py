"""`CaresResolver`: looks up names with c-ares, without threads that wait."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from eyewall.base.errors import ConfigurationError
from eyewall.net.resolver import Addresses, Resolver


class CaresResolver(Resolver):
    """Asks DNS servers through the library c-ares; needs `pip install 'eyewall[cares]'`.

    It reads the system's file of hosts, but none of its other sources of names, such as mDNS.
    Whatever number of lookups is under way, it uses one thread.

    Args:
        timeout: Seconds to wait for one server.
        tries: How often each server is asked.
        servers: Addresses of servers, with `:port` where it is not 53; None for the system's.

    Raises:
        ConfigurationError: pycares is not installed.
    """

    def initialize(
        self, timeout: float = 5.0, tries: int = 4, servers: Sequence[str] | None = None
    ) -> None:
        """Take the arguments."""
        try:
            import pycares  # noqa: PLC0415 - an optional dependency
        except ImportError as exc:
            raise ConfigurationError(
                "CaresResolver needs pycares: pip install 'eyewall[cares]'"
            ) from exc
        self._channel = pycares.Channel(timeout=timeout, tries=tries, servers=servers)
        self._explain = pycares.errno.strerror

    def close(self) -> None:
        """Give up the lookups that are under way, which fail."""
        self._channel.close()

    async def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Addresses:
        """As `Resolver.resolve`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Addresses] = loop.create_future()

        def settle(result: Any, error: int | None) -> None:
            if future.done():
                return
            if error is not None:
                reason: Any = self._explain(error)
                future.set_exception(socket.gaierror(error, f"{host}: {reason}"))
            else:
                future.set_result([(node.family, _address(node)) for node in result.nodes])

        def answered(result: Any, error: int | None) -> None:
            # In the channel's thread; the loop may be gone by now.
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, error)

        self._channel.getaddrinfo(
            host,
            port,
            family=socket.AddressFamily(family),
            type=socket.SOCK_STREAM,
            callback=answered,
        )
        return await future


def _address(node: Any) -> tuple[Any, ...]:
    host, *rest = node.addr
    return (host.decode("ascii") if isinstance(host, bytes) else host, *rest)
