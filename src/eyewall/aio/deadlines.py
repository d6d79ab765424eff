"""When a wait is over: a timedelta from now, or a point on the loop's clock."""

import asyncio
import datetime
import time
from typing import Final

Timeout = float | datetime.timedelta

# A loop's clock starts with the machine. A point nine years ahead of it was read from
# `time.time()`, as programs did when loops ran on that clock.
_WALL_CLOCK_S: Final = 3e8


def seconds_left(timeout: Timeout, loop: asyncio.AbstractEventLoop) -> float:
    """How long from now, in seconds; 0 when it has passed.

    Args:
        timeout: A timedelta from now, or a point on the loop's clock (`IOLoop.time()`) or on
            the wall clock (`time.time()`).
        loop: Whose clock counts.

    Raises:
        TypeError: It is neither a number nor a timedelta.
    """
    if isinstance(timeout, datetime.timedelta):
        return max(0.0, timeout.total_seconds())
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"a timeout is a number or a timedelta, not {timeout!r}")
    left = timeout - loop.time()
    if left > _WALL_CLOCK_S:
        left = timeout - time.time()
    return max(0.0, left)
