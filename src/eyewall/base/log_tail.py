"""The last lines of the log, for those who look at a running server."""

import logging
import os
from collections import deque
from typing import Any, Final, final

from eyewall.base.request_ids import RequestIdFilter

_KEPT: Final = 100
_LONGEST: Final = 2000


@final
class LogTail(logging.Handler):
    """Keeps the last lines."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestIdFilter())
        self._lines: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's line."""
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - arguments can have any __str__
            self.handleError(record)
            return
        self._count += 1
        self._lines.append(
            {
                "id": f"{os.getpid()}-{self._count}",
                "time": record.created,
                "level": record.levelname,
                "text": text[:_LONGEST],
            }
        )

    def lines(self) -> list[dict[str, Any]]:
        """The lines, oldest first."""
        return list(self._lines)


_installed: list[LogTail] = []


def install_log_tail() -> None:
    """Keep the last lines of all loggers from now on."""
    if not _installed:
        _installed.append(LogTail())
    root = logging.getLogger()
    if _installed[0] not in root.handlers:
        root.addHandler(_installed[0])


def log_tail() -> list[dict[str, Any]]:
    """The last lines of this process; none where nobody has asked for them to be kept."""
    return _installed[0].lines() if _installed else []
