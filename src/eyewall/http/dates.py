"""Dates as HTTP writes them (RFC 9110, section 5.6.7)."""

import datetime
from email.utils import format_datetime, parsedate_to_datetime


def format_date(when: float | datetime.datetime) -> str:
    """A time, in seconds since the epoch or as a datetime (naive ones are UTC), as a date."""
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
