"""Rate limits counted in Redis, by one script that reads, decides and writes in one step."""

from typing import Any, Final, final

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import gen_log
from eyewall.web.rate_limit import Decision, Rate, RateLimitError, decide

# KEYS[1]: the key; ARGV: interval and period in microseconds. The server's own clock is used, so
# that machines need not agree on the time.
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = math.max((tonumber(redis.call('GET', KEYS[1])) or now) - now, 0)
if ahead + interval > period + 1 then
  return {0, ahead}
end
local later = ahead + interval
redis.call('SET', KEYS[1], string.format('%.0f', now + later), 'PX', math.ceil(later / 1000))
return {1, ahead}
"""


@final
class RedisRateLimits:
    """Counts in Redis, for all processes and machines together.

    Args:
        url: The server, for example "redis://localhost:6379/0" or "unix:///run/redis.sock".
        prefix: What the keys begin with.
        timeout_s: Longest wait for an answer, in seconds.
        fail_open: Let requests pass while Redis cannot be asked; otherwise they are answered 503.

    Raises:
        ConfigurationError: The `redis` library is not installed.
    """

    def __init__(
        self, url: str, *, prefix: str = "rate:", timeout_s: float = 1.0, fail_open: bool = False
    ) -> None:
        try:
            # An optional dependency.
            from redis import asyncio as redis  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "rate limits in Redis need the redis library: pip install 'eyewall[redis]'"
            ) from None
        self._client: Any = redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        self._script: Any = self._client.register_script(_SCRIPT)
        self._errors = (RedisError, OSError, TimeoutError)
        self._prefix = prefix
        self._fail_open = fail_open
        self._down = False

    async def take(self, key: str, rate: Rate) -> Decision:
        """Take one from the allowance of a key.

        Raises:
            RateLimitError: Redis cannot be asked, and requests are not to pass then.
        """
        interval = rate.period_s / rate.limit
        arguments = [max(1, round(interval * 1e6)), rate.period_s * 1_000_000]
        try:
            allowed, ahead = await self._script(keys=[self._prefix + key], args=arguments)
        except self._errors as exc:
            # One line for an outage, not one for each request in it.
            if not self._down:
                gen_log.warning("Rate limits cannot be read from Redis: %.200s", exc)
            self._down = True
            if self._fail_open:
                return Decision(True, rate.limit - 1, interval, 0.0)
            raise RateLimitError("Redis cannot be asked") from exc
        self._down = False
        return decide(int(ahead) / 1e6, interval, rate, allowed=bool(allowed))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
