"""A log file that can be reopened, and that a full disk does not make noisy."""

import logging
import sys
from typing import Any, final

from eyewall.base.errors import StartupError


@final
class LogFile(logging.FileHandler):
    """Appends records to a file.

    Several processes may append to the same file. When nothing can be written (a full disk),
    standard error is told once; when it can be again, the file is told how many lines are
    missing.

    Args:
        path: The file.

    Raises:
        StartupError: It cannot be opened.
    """

    def __init__(self, path: str) -> None:
        try:
            super().__init__(path, encoding="utf-8")
        except OSError as exc:
            raise StartupError(f"cannot log to {path}: {exc.strerror}") from exc
        self._lost = 0
        self._told = False

    def reopen(self) -> None:
        """Close the file and open the path anew, as after a rotation."""
        self.acquire()
        try:
            self.close_stream()
            self.stream = self._open()
        except OSError as exc:
            self._tell(exc)
        finally:
            self.release()

    def close_stream(self) -> None:
        """Close the file, whatever cannot be written any more."""
        stream: Any = self.stream
        self.stream = None
        if stream is not None:
            try:
                stream.close()
            except OSError as exc:
                self._tell(exc)

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        lost = self._lost
        if self.stream is None:
            try:
                self.stream = self._open()
            except OSError:
                self.handleError(record)
                return
        super().emit(record)
        if self._lost == lost:
            self._told = False
            if lost:
                self._lost = 0
                super().emit(_missing(lost))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Count a record that could not be written."""
        self._tell(sys.exc_info()[1])
        self._lost += 1
        # What could not be written would be tried again with each flush.
        self.close_stream()

    def _tell(self, error: BaseException | None) -> None:
        if not self._told and sys.stderr is not None:
            self._told = True
            why = getattr(error, "strerror", None) or error
            print(f"eyewall: cannot log to {self.baseFilename}: {why}", file=sys.stderr, flush=True)  # noqa: T201 - the log itself fails


def _missing(count: int) -> logging.LogRecord:
    return logging.LogRecord(
        "tornado.general",
        logging.WARNING,
        __file__,
        0,
        "%d log lines before this one could not be written",
        (count,),
        None,
    )


def reopen_log_files() -> int:
    """Reopen all log files of this process; returns how many there are."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    found = {
        handler
        for logger in loggers
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
        if isinstance(handler, LogFile)
    }
    for handler in found:
        handler.reopen()
    return len(found)
