"""What the engine reports, as log lines."""

import logging
import time
from typing import Final

from eyewall.base.log import gen_log

_LEVELS: Final = {
    "refused": logging.WARNING,
    "tls": logging.WARNING,
    "accept": logging.ERROR,
    "aborted": logging.WARNING,
}
_MOST_A_SECOND: Final = 20


class NoticeLog:
    """Writes one line an event, and at most twenty lines a second of a kind.

    A flood of bad requests must not become a flood of log lines; what is left out is counted.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    def __call__(self, kind: str, peer: str, text: str) -> None:
        """Log one event."""
        level = _LEVELS.get(kind, logging.INFO)
        second = int(time.monotonic())
        begun, count = self._counts.get(kind, (second, 0))
        if begun != second:
            if count > _MOST_A_SECOND:
                gen_log.log(level, "%d more events of kind %r", count - _MOST_A_SECOND, kind)
            begun, count = second, 0
        self._counts[kind] = (begun, count + 1)
        if count < _MOST_A_SECOND:
            gen_log.log(level, "%s%s", f"{peer}: " if peer else "", text)
