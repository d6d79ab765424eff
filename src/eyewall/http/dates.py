"""Dates as HTTP writes them (RFC 9110, section 5.6.7)."""

import calendar
import datetime
import time
from email.utils import format_datetime, parsedate_to_datetime


def format_date(when: float | datetime.datetime | time.struct_time | tuple[int, ...]) -> str:
    """A time as a date.

    Args:
        when: Seconds since the epoch, a datetime (naive ones are UTC), or a time in UTC as
            `time.gmtime` gives it.
    """
    if isinstance(when, tuple):
        when = calendar.timegm(when)
    if not isinstance(when, datetime.datetime):
        when = datetime.datetime.fromtimestamp(when, datetime.UTC)
    elif when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    else:
        when = when.astimezone(datetime.UTC)
    return format_datetime(when, usegmt=True)


def parse_date(text: str) -> datetime.datetime | None:
    """The time of an HTTP date, in any of its three forms; None for what is no date."""
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=datetime.UTC)
