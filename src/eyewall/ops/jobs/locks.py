"""Who may run what: one process of a machine by a file, one machine of a fleet by Redis."""

import fcntl
import os
import secrets
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final, Protocol, final

from eyewall.base.errors import ConfigurationError, StartupError

_RUNNING_MS: Final = 30_000
_RELEASE: Final = """
if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end
return 0
"""
_RENEW: Final = """
if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("pexpire", KEYS[1], ARGV[2]) end
return 0
"""


class FleetError(Exception):
    """What the machines share cannot be reached."""


class Fleet(Protocol):
    """Gives each run of a job to one machine."""

    async def begin(self, name: str, tick: float, kept_s: float) -> bool:
        """Whether this machine is to run the job for a moment, and nobody runs it still."""
        ...

    async def renew(self, name: str) -> None:
        """It still runs; called at least every ten seconds."""
        ...

    async def end(self, name: str) -> None:
        """It runs no more."""
        ...

    async def close(self) -> None:
        """Give up what is held."""
        ...


@final
class MachineLock:
    """Held by one process of this machine; the kernel takes it from one that dies.

    Args:
        path: A file that the processes share.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._fd is not None

    def take(self) -> bool:
        """Take it if nobody has it; returns whether this process has it then.

        Raises:
            StartupError: The file cannot be opened.
        """
        if self._fd is not None:
            return True
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StartupError(f"jobs need the file {self._path}: {exc.strerror}") from exc
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def give(self) -> None:
        """Let another process have it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@final
class RedisFleet:
    """Machines that share a Redis.

    A run is claimed by its moment, so that machines whose clocks differ a little do not run it
    twice; while it runs, a second key says so, and expires 30 s after its machine has died.

    Args:
        url: The Redis.
        prefix: What the keys begin with.

    Raises:
        ConfigurationError: The `redis` library is not installed.
    """

    def __init__(self, url: str, prefix: str = "eyewall:job:") -> None:
        try:
            # An optional dependency.
            from redis import asyncio as redis  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "jobs of several machines need the redis library: pip install 'eyewall[redis]'"
            ) from None
        self._client: Any = redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
        self._errors = (RedisError, OSError, TimeoutError)
        self._prefix = prefix
        self._me = secrets.token_hex(8)

    async def _ask(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except self._errors as exc:
            raise FleetError(f"{type(exc).__name__}: {exc}"[:300]) from exc

    async def begin(self, name: str, tick: float, kept_s: float) -> bool:
        """Claim a moment, and say that it runs."""
        client, key = self._client, f"{self._prefix}{name}"
        running = client.set(f"{key}:running", self._me, nx=True, px=_RUNNING_MS)
        if not await self._ask(running):
            return False
        claim = client.set(f"{key}:at:{tick:.3f}", self._me, nx=True, px=int(kept_s * 1000))
        if await self._ask(claim):
            return True
        await self.end(name)
        return False

    async def renew(self, name: str) -> None:
        """Keep saying that it runs."""
        key = f"{self._prefix}{name}:running"
        await self._ask(self._client.eval(_RENEW, 1, key, self._me, _RUNNING_MS))

    async def end(self, name: str) -> None:
        """Say that it runs no more."""
        key = f"{self._prefix}{name}:running"
        await self._ask(self._client.eval(_RELEASE, 1, key, self._me))

    async def close(self) -> None:
        """Close the connections."""
        with suppress(*self._errors):
            await self._client.aclose()
