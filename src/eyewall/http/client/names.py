"""Names to addresses: looked up once, kept for a while."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Iterable
from typing import Any, Final, Protocol

from eyewall.http.client.errors import HTTPNameError

Address = tuple[socket.AddressFamily | int, Any]
"""A family and what `connect` of a socket of that family takes."""

_MOST_NAMES: Final = 1000


class ResolverLike(Protocol):
    """What can stand in for the system's resolver."""

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = ...
    ) -> Awaitable[Iterable[Address]]:
        """The addresses of a name."""
        ...


class NameCache:
    """Looks names up, each once at a time, and keeps what it found.

    Args:
        ttl_s: Seconds that addresses are kept.
        resolver: Looks up instead of the system.
        mapping: Names, or (name, port), and what to take instead: a name, or (name, port).
    """

    def __init__(
        self,
        ttl_s: float,
        resolver: ResolverLike | None = None,
        mapping: dict[Any, Any] | None = None,
    ) -> None:
        self._ttl_s = ttl_s
        self._resolver = resolver
        self._mapping = mapping or {}
        self._known: dict[tuple[str, int, int], tuple[float, list[Address]]] = {}
        self._asked: dict[tuple[str, int, int], asyncio.Task[list[Address]]] = {}

    async def find(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> list[Address]:
        """The addresses of a host, in the order in which to try them.

        Raises:
            HTTPNameError: There are none.
        """
        host, port = self._mapped(host, port)
        literal = _literal(host, port) if self._resolver is None else None
        if literal is not None:
            if family not in (socket.AF_UNSPEC, literal[0]):
                raise HTTPNameError(f"{host} is no address of the family that is allowed")
            return [literal]
        key = (host, port, family)
        loop = asyncio.get_running_loop()
        expires, addresses = self._known.get(key, (0.0, []))
        if loop.time() < expires:
            return addresses
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = loop.create_task(self._look_up(host, port, family))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        # One that gives up must not take the answer from the others.
        addresses = await asyncio.shield(task)
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[key] = (loop.time() + self._ttl_s, addresses)
        return addresses

    def _mapped(self, host: str, port: int) -> tuple[str, int]:
        other = self._mapping.get((host, port), self._mapping.get(host))
        if other is None:
            return host, port
        return (other, port) if isinstance(other, str) else tuple(other)

    async def _look_up(self, host: str, port: int, family: int) -> list[Address]:
        try:
            if self._resolver is not None:
                found = await self._resolver.resolve(host, port, socket.AddressFamily(family))
                addresses: list[Address] = list(found)
            else:
                entries = await asyncio.get_running_loop().getaddrinfo(
                    host, port, family=family, type=socket.SOCK_STREAM
                )
                addresses = [(entry[0], entry[4]) for entry in entries]
        except (OSError, UnicodeError) as error:
            raise HTTPNameError(f"{host} has no address: {error}") from error
        if not addresses:
            raise HTTPNameError(f"{host} has no address")
        return _interleaved(addresses)


def _literal(host: str, port: int) -> Address | None:
    # Most names have a letter beyond "f"; asking costs less than failing.
    if not host.replace(".", "").isdigit() and ":" not in host:
        return None
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if address.version == 4:
        return socket.AF_INET, (host, port)
    zone = host.partition("%")[2]
    scope = 0
    if zone:
        try:
            scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
        except OSError as error:
            raise HTTPNameError(f"{host} names no interface of this machine") from error
    return socket.AF_INET6, (str(address), port, 0, scope)


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Families by turns, the first one first (RFC 8305, section 4)."""
    first = [entry for entry in addresses if entry[0] == addresses[0][0]]
    others = [entry for entry in addresses if entry[0] != addresses[0][0]]
    mixed: list[Address] = []
    while first or others:
        mixed += first[:1] + others[:1]
        first, others = first[1:], others[1:]
    return mixed
