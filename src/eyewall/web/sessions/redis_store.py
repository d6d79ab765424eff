"""Sessions in Redis, for several machines."""

from collections.abc import Awaitable
from typing import Any, final

from eyewall.base.errors import ConfigurationError
from eyewall.web.sessions.stores import SessionStoreError


@final
class RedisStore:
    """Keeps sessions in Redis, which forgets them itself when their time is over.

    Args:
        url: The server, for example "redis://localhost:6379/0" or "unix:///run/redis.sock".
        prefix: What the keys begin with.
        timeout_s: Longest wait for an answer, in seconds.

    Raises:
        ConfigurationError: The `redis` library is not installed.
    """

    def __init__(self, url: str, *, prefix: str = "session:", timeout_s: float = 5.0) -> None:
        try:
            # An optional dependency.
            from redis import asyncio as redis  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "sessions in Redis need the redis library: pip install 'eyewall[redis]'"
            ) from None
        self._client: Any = redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        self._errors = (RedisError, OSError, TimeoutError)
        self._prefix = prefix

    async def _ask(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except self._errors as exc:
            raise SessionStoreError(f"sessions cannot be reached in Redis: {exc}"[:300]) from exc

    async def load(self, key: str) -> bytes | None:
        """The data of a session."""
        found = await self._ask(self._client.get(self._prefix + key))
        return None if found is None else bytes(found)

    async def save(self, key: str, data: bytes, max_age_s: int) -> None:
        """Keep a session."""
        await self._ask(self._client.set(self._prefix + key, data, ex=max(1, max_age_s)))

    async def delete(self, key: str) -> None:
        """Forget a session."""
        await self._ask(self._client.delete(self._prefix + key))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
