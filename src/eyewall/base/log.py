"""Loggers, and the two forms of a log line.

The loggers keep the names that programs' logging configurations know: `tornado.access` for
one line a request, `tornado.application` for errors in the user's code, `tornado.general` for
everything else.
"""

import json
import logging
import sys
import time
from typing import Any, Final, TextIO

access_log: Final = logging.getLogger("tornado.access")
app_log: Final = logging.getLogger("tornado.application")
gen_log: Final = logging.getLogger("tornado.general")

_COLOURS: Final = {
    logging.DEBUG: "\033[34m",
    logging.INFO: "\033[32m",
    logging.WARNING: "\033[33m",
    logging.ERROR: "\033[31m",
    logging.CRITICAL: "\033[35m",
}
_PLAIN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class LogFormatter(logging.Formatter):
    """One line a record: `[I 261120 22:00:00 module:12] message`, in colour where asked for."""

    def __init__(self, *, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; what follows the first line is indented."""
        stamp = time.strftime("%y%m%d %H:%M:%S", time.localtime(record.created))
        head = f"[{record.levelname[0]} {stamp} {record.module}:{record.lineno}]"
        if self._colour:
            head = f"{_COLOURS.get(record.levelno, '')}{head}\033[0m"
        text = f"{head} {record.getMessage()}"
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            text = f"{text}\n{record.exc_text}"
        return text.replace("\n", "\n    ")


class JSONFormatter(logging.Formatter):
    """One JSON object a line; fields given as `extra` become members of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        fields: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in record.__dict__.items() if name not in _PLAIN}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)


def configure(
    level: str = "info", *, form: str = "text", stream: TextIO | None = None, access: bool = True
) -> None:
    """Send all records to `stream`.

    Args:
        level: Least level that is shown, by name.
        form: "text" or "json".
        stream: Where to; standard error by default.
        access: Whether requests get their lines.

    Raises:
        ValueError: An unknown level or form.
    """
    if form not in {"text", "json"}:
        raise ValueError(f'log format must be "text" or "json", not {form!r}')
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        JSONFormatter() if form == "json" else LogFormatter(colour=handler.stream.isatty())
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    access_log.disabled = not access
