"""Loggers, and the two forms of a log line.

The loggers keep the names that programs' logging configurations know: `tornado.access` for
one line a request, `tornado.application` for errors in the user's code, `tornado.general` for
everything else.
"""

import json
import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, Literal, TextIO

from eyewall.base.log_file import LogFile
from eyewall.base.option_parser import OptionParser
from eyewall.base.option_parser import options as program_options
from eyewall.base.request_ids import RequestIdFilter

access_log: Final = logging.getLogger("tornado.access")
app_log: Final = logging.getLogger("tornado.application")
gen_log: Final = logging.getLogger("tornado.general")

_PLAIN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class LogFormatter(logging.Formatter):
    """One line a record: `[I 261120 22:00:00 module:12] message`.

    What follows the first line of a record is indented.

    Args:
        fmt: The line, with logging's own fields, and `color` and `end_color` around what is
            coloured.
        datefmt: The time in it, for `time.strftime`.
        style: Which signs mark the fields in `fmt`: "%", "{" or "$".
        color: Colour lines when standard error is a terminal, unless the environment has
            `NO_COLOR`.
        colors: The number of the terminal's colour (0 to 7) for each level.
    """

    DEFAULT_FORMAT: Final = (
        "%(color)s[%(levelname)1.1s %(asctime)s %(module)s:%(lineno)d]%(end_color)s %(message)s"
    )
    DEFAULT_DATE_FORMAT: Final = "%y%m%d %H:%M:%S"
    DEFAULT_COLORS: Final[Mapping[int, int]] = {
        logging.DEBUG: 4,
        logging.INFO: 2,
        logging.WARNING: 3,
        logging.ERROR: 1,
        logging.CRITICAL: 5,
    }

    def __init__(
        self,
        fmt: str = DEFAULT_FORMAT,
        datefmt: str = DEFAULT_DATE_FORMAT,
        style: Literal["%", "{", "$"] = "%",
        color: bool = True,
        colors: Mapping[int, int] = DEFAULT_COLORS,
    ) -> None:
        # The colours are no fields of a record, so logging's check does not know them.
        super().__init__(fmt, datefmt, style, validate=False)
        coloured = color and sys.stderr.isatty() and "NO_COLOR" not in os.environ
        self._colors = {n: f"\033[3{code}m" for n, code in colors.items()} if coloured else {}
        self._normal = "\033[0m" if coloured else ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """The record's time."""
        return time.strftime(datefmt or self.DEFAULT_DATE_FORMAT, self.converter(record.created))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The record's line, without its traceback."""
        colour = self._colors.get(record.levelno, "")
        end = self._normal if colour else ""
        shown = logging.makeLogRecord({**vars(record), "color": colour, "end_color": end})
        text = super().formatMessage(shown)
        request_id = getattr(record, "request_id", None)
        return f"{text} [{request_id}]" if request_id else text

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; a message that cannot be made is a line that says so."""
        try:
            text = super().format(record)
        except Exception as exc:  # noqa: BLE001 - arguments can have any __str__
            failed = logging.makeLogRecord(vars(record))
            failed.msg = f"Bad message ({type(exc).__name__}): {record.msg!r}"
            failed.args = None
            text = super().format(failed)
        return text.rstrip().replace("\n", "\n    ")


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
    level: str = "info",
    *,
    form: str = "text",
    stream: TextIO | None = None,
    file: str | None = None,
    access: bool = True,
) -> None:
    """Send all records to `stream`, or to a file.

    Args:
        level: Least level that is shown, by name.
        form: "text" or "json".
        stream: Where to; standard error by default.
        file: Path of a file to append to instead; `reopen_log_files` opens it anew.
        access: Whether requests get their lines.

    Raises:
        ValueError: An unknown level or form.
        StartupError: The file cannot be opened.
    """
    if form not in {"text", "json"}:
        raise ValueError(f'log format must be "text" or "json", not {form!r}')
    handler: LogFile | logging.StreamHandler[TextIO]
    handler = LogFile(file) if file else logging.StreamHandler(stream or sys.stderr)
    coloured = not isinstance(handler, LogFile) and handler.stream.isatty()
    handler.setFormatter(JSONFormatter() if form == "json" else LogFormatter(color=coloured))
    handler.addFilter(RequestIdFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    access_log.disabled = not access


def define_logging_options(options: OptionParser | None = None) -> None:
    """Define the options of logging, and set logging up by them after each final parse.

    Args:
        options: Where; the program's own by default, which have them already once
            `eyewall.base.options` is imported.
    """
    chosen = program_options if options is None else options
    if "logging" in chosen:
        return

    def define(name: str, default: Any, help_: str, kind: type | None = None) -> None:
        chosen.define(name, default, kind, help_, group=__file__)

    define("logging", "info", "least level shown: debug, info, warning, error; none: leave logging")
    define("log_to_stderr", None, "log to standard error; by default when there is no file", bool)
    define("log_file_prefix", None, "file to log to; give each process one of its own", str)
    define("log_file_max_size", 100_000_000, "bytes of a log file before the next one is begun")
    define("log_file_num_backups", 10, "older log files that are kept")
    define("log_rotate_mode", "size", 'begin the next file by "size" or by "time"')
    define("log_rotate_when", "midnight", "by time: S, M, H, D, W0 to W6 or midnight")
    define("log_rotate_interval", 1, "by time: how many of these between two files")
    chosen.add_parse_callback(lambda: enable_pretty_logging(chosen))


def enable_pretty_logging(options: Any = None, logger: logging.Logger | None = None) -> None:
    """Log as the options say, in `LogFormatter`'s form.

    Args:
        options: Has what `define_logging_options` defines; the program's own by default.
        logger: What is set up; the root logger by default.

    Raises:
        ValueError: An unknown level or way of rotating.
    """
    chosen = program_options if options is None else options
    if options is None:
        define_logging_options()
    if chosen.logging is None or chosen.logging.lower() == "none":
        return
    target = logging.getLogger() if logger is None else logger
    target.setLevel(chosen.logging.upper())
    if chosen.log_file_prefix:
        to_file = _rotating(chosen)
        to_file.setFormatter(LogFormatter(color=False))
        target.addHandler(to_file)
    wanted = chosen.log_to_stderr
    if wanted or (wanted is None and not target.handlers):
        to_stderr = logging.StreamHandler()
        to_stderr.setFormatter(LogFormatter())
        target.addHandler(to_stderr)


def _rotating(options: Any) -> logging.Handler:
    mode = options.log_rotate_mode
    if mode == "size":
        return logging.handlers.RotatingFileHandler(
            options.log_file_prefix,
            maxBytes=options.log_file_max_size,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    if mode == "time":
        return logging.handlers.TimedRotatingFileHandler(
            options.log_file_prefix,
            when=options.log_rotate_when,
            interval=options.log_rotate_interval,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    raise ValueError(f'log_rotate_mode must be "size" or "time", not {mode!r}')
