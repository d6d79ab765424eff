"""Names of hosts into addresses: `Resolver` and its implementations."""

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Awaitable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, ClassVar, TypeAlias

from eyewall.base.configurable import Configurable
from eyewall.loop.ioloop import IOLoop

Addresses: TypeAlias = list[tuple[int, Any]]
"""Pairs of an address family and what `socket.connect` takes."""


def is_valid_ip(ip: str) -> bool:
    """Whether `ip` is an IPv4 or IPv6 address, in its usual form."""
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        return False
    return True


class Resolver(Configurable):
    """Looks up addresses; `Resolver.configure` chooses how.

    The default one, `DefaultLoopResolver`, asks the system in the loop's threads.

    Example:
        >>> async def addresses(host: str) -> list:
        ...     return await Resolver().resolve(host, 443)
    """

    @classmethod
    def configurable_base(cls) -> type["Resolver"]:
        """The interface itself."""
        return Resolver

    @classmethod
    def configurable_default(cls) -> type["Resolver"]:
        """The implementation where none was chosen."""
        return DefaultLoopResolver

    def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Awaitable[Addresses]:
        """The addresses of `host`, in the order to be tried.

        Args:
            host: A name or an address.
            port: Becomes part of each address.
            family: `socket.AF_INET` or `socket.AF_INET6` for only these.

        Returns:
            Pairs of family and address, as `IOStream.connect` takes it.

        Raises:
            OSError: There is none (`socket.gaierror`), or nobody answers.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must override resolve")

    def close(self) -> None:
        """Give back what it holds, such as threads; it is not used afterwards."""


class DefaultLoopResolver(Resolver):
    """Asks the running loop, which calls `getaddrinfo` in its threads."""

    async def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Addresses:
        """As `Resolver.resolve`."""
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        return [(int(info[0]), info[4]) for info in infos]


class ExecutorResolver(Resolver):
    """Calls `getaddrinfo` in an executor.

    Args:
        executor: Where; None calls it at once, which holds up the loop.
        close_executor: Shut it down with the resolver.
    """

    executor: Executor | None = None
    close_executor = False

    def initialize(self, executor: Executor | None = None, close_executor: bool = True) -> None:
        """Take the arguments."""
        self.executor = executor
        self.close_executor = executor is not None and close_executor

    def close(self) -> None:
        """Shut the executor down, if it is the resolver's own."""
        if self.executor is not None and self.close_executor:
            self.executor.shutdown()
        self.executor = None

    def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Awaitable[Addresses]:
        """As `Resolver.resolve`."""
        loop = IOLoop.current()
        assert loop is not None
        if self.executor is not None:
            return loop.run_in_executor(self.executor, _look_up, host, port, family)
        future: asyncio.Future[Addresses] = loop.asyncio_loop.create_future()
        try:
            future.set_result(_look_up(host, port, family))
        except OSError as exc:
            future.set_exception(exc)
        return future


class DefaultExecutorResolver(Resolver):
    """Calls `getaddrinfo` in the loop's own threads."""

    def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Awaitable[Addresses]:
        """As `Resolver.resolve`."""
        loop = IOLoop.current()
        assert loop is not None
        return loop.run_in_executor(None, _look_up, host, port, family)


class BlockingResolver(ExecutorResolver):
    """Calls `getaddrinfo` at once; the loop stands still until it has answered."""

    def initialize(self) -> None:  # type: ignore[override] # it takes nothing
        """Use no threads."""
        super().initialize()


class ThreadedResolver(ExecutorResolver):
    """Calls `getaddrinfo` in threads, which all resolvers of this kind share.

    Args:
        num_threads: How many at most; the first resolver decides.
    """

    _threadpool: ClassVar[ThreadPoolExecutor | None] = None

    def initialize(self, num_threads: int = 10) -> None:  # type: ignore[override] # other ones
        """Take the arguments; threads start when they are needed."""
        cls = ThreadedResolver
        if cls._threadpool is None:
            cls._threadpool = ThreadPoolExecutor(num_threads, "eyewall-resolver")
        super().initialize(cls._threadpool, close_executor=False)

    @classmethod
    def forget_threads(cls) -> None:
        """Start new threads when some are needed: in a forked child the old ones are not there."""
        ThreadedResolver._threadpool = None


os.register_at_fork(after_in_child=ThreadedResolver.forget_threads)


class OverrideResolver(Resolver):
    """Gives other addresses for some hosts, for tests and for hosts without an entry in DNS.

    Args:
        resolver: Looks up all others.
        mapping: From a host, a pair of host and port, or a triple of host, port and family; to
            a host, or a pair of host and port. The most exact key wins.

    Example:
        >>> Resolver.configure(
        ...     OverrideResolver,
        ...     resolver=DefaultLoopResolver(),
        ...     mapping={("api.example.com", 443): ("127.0.0.1", 8443)},
        ... )
        >>> Resolver.configure(None)
    """

    resolver: Resolver
    mapping: Mapping[Any, Any]

    def initialize(self, resolver: Resolver, mapping: Mapping[Any, Any]) -> None:
        """Take the arguments."""
        self.resolver = resolver
        self.mapping = mapping

    def close(self) -> None:
        """Close the other resolver."""
        self.resolver.close()

    def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Awaitable[Addresses]:
        """As `Resolver.resolve`."""
        for key in ((host, port, family), (host, port), host):
            instead = self.mapping.get(key)
            if instead is not None:
                host, port = (instead, port) if isinstance(instead, str) else instead
                break
        return self.resolver.resolve(host, port, family)


def _look_up(host: str, port: int, family: int) -> Addresses:
    infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(int(info[0]), info[4]) for info in infos]


# Encoding a name looks for this codec; in a thread that would wait for the import lock, which
# a program that looks up names while it is imported holds itself.
with contextlib.suppress(UnicodeError):
    "localhost".encode("idna")
