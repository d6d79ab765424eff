"""When a request is sent again, and after how long."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from eyewall.http.client.errors import (
    HTTPClientError,
    HTTPConnectError,
    HTTPProtocolError,
    HTTPProxyError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
)
from eyewall.http.client.exchange import REPEATABLE


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempts for what may be repeated, with growing, random pauses between them.

    Methods that are not idempotent are sent again only when nothing was sent before, because no
    connection could be made.

    Args:
        attempts: How many in all.
        pause_s: Longest pause before the second attempt; it doubles with each.
        max_pause_s: Longest pause at all; a server that asks for more with `Retry-After` gets
            no further attempt.
        statuses: Statuses that are tried again.
        methods: Methods that are.
    """

    attempts: int = 3
    pause_s: float = 0.2
    max_pause_s: float = 10.0
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})
    methods: frozenset[str] = REPEATABLE

    def after_error(self, method: str, error: HTTPClientError, attempt: int) -> float | None:
        """Seconds until the next attempt after this one; None for no further one.

        Args:
            method: The request's method.
            error: What it failed with.
            attempt: How many there were, this one included.
        """
        if attempt >= self.attempts:
            return None
        unsent = isinstance(error, HTTPConnectError) and not isinstance(error, HTTPProxyError)
        broken = isinstance(error, HTTPStreamClosedError | HTTPTimeoutError)
        broken = broken and not isinstance(error, HTTPProtocolError)
        if unsent or (broken and method in self.methods):
            return self._pause(attempt)
        return None

    def after_status(
        self, method: str, status: int, retry_after: str | None, attempt: int
    ) -> float | None:
        """The same for a status; `retry_after` is the value of that field."""
        if attempt >= self.attempts or status not in self.statuses or method not in self.methods:
            return None
        asked = _seconds(retry_after)
        if asked is None:
            return self._pause(attempt)
        return asked if asked <= self.max_pause_s else None

    def _pause(self, attempt: int) -> float:
        longest = min(self.pause_s * 2 ** (attempt - 1), self.max_pause_s)
        # Clients that failed together must not come back together.
        return random.uniform(0, longest)  # noqa: S311 - nothing is secret about it


def _seconds(value: str | None) -> float | None:
    """`Retry-After`: seconds or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)
