"""What a request is called in log lines: from `X-Request-ID`, from `traceparent`, or made up."""

import logging
import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Final, TypeVar

T = TypeVar("T")

request_id_var: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the request that the running code belongs to; None where ids are off."""

# https://www.w3.org/TR/trace-context-2/#traceparent-header
_TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


def is_request_id(text: str) -> bool:
    """Whether what a client sent may stand in a log line."""
    return 0 < len(text) <= 128 and text.isascii() and text.isprintable()


def trace_of(traceparent: str | None) -> str | None:
    """The trace id of a `traceparent` field; None when the field is missing or malformed."""
    if traceparent is None or len(traceparent) > 512:
        return None
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    # Version 00 ends with the flags.
    if match is None or (match[1] == "00" and match[5]):
        return None
    return match[2]


def new_request_id() -> str:
    """An id that nobody else has."""
    return secrets.token_hex(16)


def choose_request_id(sent: str | None, traceparent: str | None) -> str:
    """The id of a request.

    Args:
        sent: The field `X-Request-ID`.
        traceparent: The field of that name (W3C Trace Context).
    """
    if sent is not None and is_request_id(sent):
        return sent
    return trace_of(traceparent) or new_request_id()


def in_request(callback: Callable[[T], object]) -> Callable[[T], object]:
    """A callback that will run as part of the request that runs now.

    Args:
        callback: What the engine is to call later, from outside of the request's context.
    """
    if request_id_var.get() is None:
        return callback
    context = copy_context()
    return lambda value: context.run(callback, value)


class RequestIdFilter(logging.Filter):
    """Gives each record the id of the request in which it is written."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; every record passes."""
        if getattr(record, "request_id", None) is None:
            current = request_id_var.get()
            if current is not None:
                record.request_id = current
        return True
