"""`ExpectLog`: a log line that a test provokes, taken out of the output."""

import logging
import re
from types import TracebackType
from typing import Self


class ExpectLog(logging.Filter):
    """While its block runs, records that match are not logged, and one must come.

    Other records go their way. `matched` says whether one has come, `logged_stack` whether one
    came with a traceback.

    Args:
        logger: The logger that the record is given to, or its name; "" for the root logger.
        regex: What its message begins with.
        required: Whether it is an error when none comes.
        level: Only records of this level match; the logger lets them through meanwhile.

    Raises:
        AssertionError: At the end of the block, when none has come.

    Example:
        >>> with ExpectLog("tornado.general", "the disk is"):
        ...     logging.getLogger("tornado.general").warning("the disk is full")
    """

    def __init__(
        self,
        logger: logging.Logger | str,
        regex: str,
        required: bool = True,
        level: int | None = None,
    ) -> None:
        super().__init__()
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.regex = re.compile(regex)
        self.required = required
        self.level = level
        self.matched = False
        self.logged_stack = False
        self._level_before: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged; one that matches is counted instead."""
        if record.exc_info:
            self.logged_stack = True
        fits = self.level is None or record.levelno == self.level
        if not fits or not self.regex.match(record.getMessage()):
            return True
        self.matched = True
        return False

    def __enter__(self) -> Self:
        """Begin to look at records."""
        if self.level is not None and not self.logger.isEnabledFor(self.level):
            self._level_before = self.logger.level
            self.logger.setLevel(self.level)
        self.logger.addFilter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, and complain when nothing came and the block itself did not fail."""
        self.logger.removeFilter(self)
        if self._level_before is not None:
            self.logger.setLevel(self._level_before)
        if error is None and self.required and not self.matched:
            raise AssertionError(f"no log message begins with {self.regex.pattern!r}")
