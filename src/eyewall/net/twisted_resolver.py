"""`TwistedResolver`: looks up names with Twisted's DNS client."""

import asyncio
import socket
from typing import Any

from eyewall.aio.deferreds import install
from eyewall.net.resolver import Addresses, Resolver, is_valid_ip


class TwistedResolver(Resolver):
    """Asks DNS servers through Twisted, without threads; needs `pip install 'eyewall[twisted]'`.

    It reads the system's file of hosts, but none of its other sources of names. Twisted's reactor
    is installed on the loop when there is none yet.

    Args:
        servers: Addresses and ports of the servers; None for those of the system.
        hosts: Path of the file of hosts.

    Raises:
        RuntimeError: Twisted's reactor is not on this loop.
    """

    def initialize(
        self, servers: list[tuple[str, int]] | None = None, hosts: str = "/etc/hosts"
    ) -> None:
        """Take the arguments; the reactor is needed only when the first name is looked up."""
        self._servers = servers
        self._hosts = hosts.encode()
        self._client: Any = None

    async def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Addresses:
        """As `Resolver.resolve`."""
        if is_valid_ip(host):
            kind = socket.AF_INET6 if ":" in host else socket.AF_INET
            if family not in (socket.AF_UNSPEC, kind):
                raise socket.gaierror(socket.EAI_ADDRFAMILY, f"{host}: not of that family")
            return [(int(kind), _address(kind, host, port))]
        client = self._made()
        asked = []
        if family != socket.AF_INET6:
            asked.append((socket.AF_INET, client.lookupAddress(host)))
        if family != socket.AF_INET:
            asked.append((socket.AF_INET6, client.lookupIPV6Address(host)))
        answers = await asyncio.gather(
            *(deferred.asFuture(asyncio.get_running_loop()) for _, deferred in asked),
            return_exceptions=True,
        )
        found: Addresses = []
        for (kind, _), answer in zip(asked, answers, strict=True):
            if not isinstance(answer, BaseException):
                found += [(int(kind), _address(kind, ip, port)) for ip in _addresses(kind, answer)]
        if not found:
            why = next((repr(each) for each in answers if isinstance(each, Exception)), "none")
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address: {why}")
        return found

    def _made(self) -> Any:
        if self._client is None:
            install()
            # It takes the reactor that is installed when it is imported.
            from twisted.names import client  # noqa: PLC0415

            names: Any = client
            self._client = names.createResolver(servers=self._servers, hosts=self._hosts)
        return self._client


def _addresses(kind: int, answer: Any) -> list[str]:
    """The addresses among the records, which may name other names first."""
    records = [record.payload for record in answer[0]]
    return [
        socket.inet_ntop(kind, record.address)
        for record in records
        if len(getattr(record, "address", b"")) == (4 if kind == socket.AF_INET else 16)
    ]


def _address(kind: int, ip: str, port: int) -> tuple[Any, ...]:
    return (ip, port) if kind == socket.AF_INET else (ip, port, 0, 0)
