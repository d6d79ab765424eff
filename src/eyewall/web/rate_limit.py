"""How often something may be done, by the generic cell rate algorithm (GCRA).

For each key one number is kept: the time at which its allowance will be whole again. Every
request that is let through moves it on by one interval (the period divided by the limit), and
one that would move it further ahead than the period is refused. So a key may use its whole
allowance at once, and then gets it back evenly; a refused request costs nothing.
"""

import functools
import hashlib
import ipaddress
import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, Protocol, final

from eyewall.base.errors import ConfigurationError, EyewallError
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler

Method = Callable[..., Any]

STORE_SETTING: Final = "rate_limit_store"
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE: Final = re.compile(r"([1-9][0-9]{0,8}) ?/ ?([1-9][0-9]{0,5} ?)?(second|minute|hour|day)s?")
_LONGEST_KEY: Final = 128


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    limit: int
    period_s: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """The rate that a text such as "10/minute" or "100/15 minutes" names.

        Raises:
            ConfigurationError: It names none.
        """
        match = _RATE.fullmatch(text)
        if match is None:
            raise ConfigurationError(
                f'{text!r} is no rate; one is "10/minute" or "100/15 minutes", '
                "of second, minute, hour or day"
            )
        limit, times, unit = match.groups()
        return cls(int(limit), int(times or 1) * _SECONDS[unit])


class Decision(NamedTuple):
    """Whether a request may pass, and what is left.

    `remaining` requests may follow at once; after `reset_s` seconds without any the allowance
    is whole again; after `retry_s` seconds a request that was refused may pass.
    """

    allowed: bool
    remaining: int
    reset_s: float
    retry_s: float


class RateLimitStore(Protocol):
    """Counts what keys have used."""

    def take(self, key: str, rate: Rate) -> Decision | Awaitable[Decision]:
        """Take one from the allowance of a key, if there is one, in one step.

        Raises:
            RateLimitError: It cannot be known; stores that wait raise it when awaited.
        """
        ...


class RateLimitError(EyewallError):
    """The store cannot say whether a request may pass; answered 503."""


@final
class MemoryRateLimits:
    """Counts in this process, so each process of several has an allowance of its own.

    Args:
        most: Keys that are kept; beyond it the one that was used least lately is forgotten,
            and has its whole allowance again.
        clock: Gives seconds.
    """

    def __init__(self, *, most: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        if most < 1:
            raise ConfigurationError(f"at least one key must be kept, not {most}")
        self._most = most
        self._clock = clock
        self._whole_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole_at)

    def take(self, key: str, rate: Rate) -> Decision:
        """Take one from the allowance of a key."""
        now = self._clock()
        interval = rate.period_s / rate.limit
        ahead = max(self._whole_at.get(key, now) - now, 0.0)
        decision = decide(ahead, interval, rate)
        if decision.allowed:
            self._whole_at[key] = now + decision.reset_s
        # One that is refused is kept too: flooding other keys does not free it.
        self._whole_at.move_to_end(key)
        self._forget(now)
        return decision

    def _forget(self, now: float) -> None:
        # Two for each one that may be new: what is whole again goes, at a bounded cost.
        for _ in range(2):
            oldest = next(iter(self._whole_at))
            if len(self._whole_at) <= self._most and self._whole_at[oldest] > now:
                return
            if len(self._whole_at) == 1:
                return
            del self._whole_at[oldest]


def by_address(handler: RequestHandler) -> str:
    """The client's address as a key; for IPv6 its /64, of which a client may have every address."""
    text = handler.request.remote_ip
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, ipaddress.IPv6Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"


def rate_limit(
    rate: str,
    key: Callable[[RequestHandler], str | None] = by_address,
    *,
    name: str | None = None,
    store: RateLimitStore | None = None,
) -> Callable[[Method], Method]:
    """Answer 429 to those who call a verb, or `prepare`, more often than `rate`.

    Answers say what is left in `RateLimit` and `RateLimit-Policy`
    (draft-ietf-httpapi-ratelimit-headers); a 429 says in `Retry-After` when to come again
    (RFC 9110, section 10.2.3). Its page is the handler's `write_error`.

    Args:
        rate: For example "10/minute" or "100/15 minutes".
        key: Whose requests are counted together, of the handler; None lets the request pass.
        name: What is counted together; by default the method. Verbs of the same name share
            an allowance.
        store: Where it is counted: by default the setting `rate_limit_store`, and without
            that one in memory for each application.

    Raises:
        ConfigurationError: A rate or a name that is none.

    Example:
        >>> class Login(RequestHandler):
        ...     @rate_limit("5/minute")
        ...     def post(self):
        ...         self.write("welcome")
    """
    parsed = Rate.parse(rate)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9_.:/-]{1,64}", name):
        raise ConfigurationError(f"{name!r} cannot name a rate limit; use letters, digits, _.:/-")

    def decorate(method: Method) -> Method:
        counted = name or f"{method.__module__}.{method.__qualname__}"
        policy = name or "default"

        @functools.wraps(method)
        def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(self, RequestHandler):
                raise TypeError(
                    "@rate_limit is for methods of a RequestHandler, and "
                    f"{counted} was called with {type(self).__name__}"
                )
            whose = key(self)
            if whose is None:
                return method(self, *args, **kwargs)
            try:
                taken = (store or _store_of(self)).take(_bounded(f"{counted}|{whose}"), parsed)
            except RateLimitError as exc:
                raise HTTPError(503) from exc
            if not isinstance(taken, Decision):
                return _wait(self, taken, parsed, policy, lambda: method(self, *args, **kwargs))
            if _passes(self, taken, parsed, policy):
                return method(self, *args, **kwargs)
            return None

        return wrapper

    return decorate


async def _wait(
    handler: RequestHandler,
    taken: Awaitable[Decision],
    rate: Rate,
    policy: str,
    proceed: Callable[[], Any],
) -> Any:
    try:
        decision = await taken
    except RateLimitError as exc:
        raise HTTPError(503) from exc
    if not _passes(handler, decision, rate, policy):
        return None
    result = proceed()
    return await result if hasattr(result, "__await__") else result


def _passes(handler: RequestHandler, decision: Decision, rate: Rate, policy: str) -> bool:
    if not decision.allowed:
        # Not by HTTPError: those who are refused must not fill the log too.
        handler.clear()
        handler.set_status(429)
        handler.set_header("Retry-After", max(1, math.ceil(decision.retry_s)))
    # Of several limits of one request each adds its own (RFC 9651 lists).
    handler.add_header("RateLimit-Policy", f'"{policy}";q={rate.limit};w={rate.period_s}')
    left = f'"{policy}";r={decision.remaining};t={math.ceil(decision.reset_s)}'
    handler.add_header("RateLimit", left)
    if not decision.allowed:
        handler.write_error(429)
        if not handler._finished:
            handler.finish()
    return decision.allowed


def decide(ahead: float, interval: float, rate: Rate, *, allowed: bool | None = None) -> Decision:
    """What the algorithm says of a key.

    Args:
        ahead: Seconds until the key's allowance is whole again.
        interval: Seconds in which one request is given back.
        rate: The rate.
        allowed: What a store has decided already; None decides here.
    """
    # Sums of intervals are not exact; a microsecond decides nothing.
    slack = 1e-6
    if allowed is None:
        allowed = ahead + interval <= rate.period_s + slack
    if not allowed:
        return Decision(False, 0, ahead, max(ahead + interval - rate.period_s, 0.0))
    reset = ahead + interval
    remaining = min(int((rate.period_s - reset + slack) / interval), rate.limit - 1)
    return Decision(True, max(remaining, 0), reset, 0.0)


def _store_of(handler: RequestHandler) -> RateLimitStore:
    settings = handler.application.settings
    found: RateLimitStore | None = settings.get(STORE_SETTING)
    if found is None:
        found = settings[STORE_SETTING] = MemoryRateLimits()
    return found


def _bounded(key: str) -> str:
    """A key that clients cannot make long."""
    if len(key) <= _LONGEST_KEY:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
