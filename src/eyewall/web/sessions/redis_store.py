"""Sessions in Redis, for several machines."""

from typing import Any, final

from eyewall.base.errors import ConfigurationError


@final
class RedisStore:
    """Keeps sessions in Redis, which forgets them itself when their time is over.

    Args:
        url: The server, for example "redis://localhost:6379/0" or "unix:///run/redis.sock".
        prefix: What the keys begin with.

    Raises:
        ConfigurationError: The `redis` library is not installed.
    """

    def __init__(self, url: str, *, prefix: str = "session:") -> None:
        try:
            from redis import asyncio as redis  # noqa: PLC0415 - an optional dependency
        except ImportError:
            raise ConfigurationError(
                "sessions in Redis need the redis library: pip install 'eyewall[redis]'"
            ) from None
        self._client: Any = redis.from_url(url)
        self._prefix = prefix

    async def load(self, key: str) -> bytes | None:
        """The data of a session."""
        found = await self._client.get(self._prefix + key)
        return None if found is None else bytes(found)

    async def save(self, key: str, data: bytes, max_age_s: int) -> None:
        """Keep a session."""
        await self._client.set(self._prefix + key, data, ex=max(1, max_age_s))

    async def delete(self, key: str) -> None:
        """Forget a session."""
        await self._client.delete(self._prefix + key)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
