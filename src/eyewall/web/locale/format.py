"""Dates, numbers and lists of a language, by Babel where it is installed.

Without Babel (`pip install 'eyewall[locale]'`) they have the forms that texts in a catalogue
give them: the names of days and months, and phrases such as "%(minutes)d minutes ago", are
translated like any other text.
"""

import datetime
import functools
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final, Protocol

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Translating(Protocol):
    """What gives translations: a locale."""

    code: str

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """The translation of a text."""
        ...


@functools.lru_cache(maxsize=8)
def babel_module(name: str) -> Any:
    """A module of Babel; None where it is not installed."""
    try:
        return import_module(f"babel.{name}")
    except ImportError:
        return None


@functools.lru_cache(maxsize=64)
def _babel_locale(code: str) -> Any:
    core = babel_module("core")
    if core is None:
        return None
    try:
        return core.Locale.parse(code)
    except (ValueError, core.UnknownLocaleError):
        return None


def friendly_number(value: int, code: str) -> str:
    """A number with the marks between its digits that the language has."""
    babel = _babel_locale(code)
    if babel is not None:
        return str(babel_module("numbers").format_decimal(value, locale=babel))
    return f"{value:,}" if code.split("_", maxsplit=1)[0] == "en" else str(value)


def join_list(parts: Sequence[str], locale: Translating) -> str:
    """Parts as a list: "A, B and C"."""
    if not parts:
        return ""
    if len(parts) == 1:
        return str(parts[0])
    babel = _babel_locale(locale.code)
    if babel is not None and not locale.code.startswith("en"):
        return str(babel_module("lists").format_list(list(parts), locale=babel))
    translate = locale.translate
    comma = " \u0648 " if locale.code.startswith("fa") else ", "
    return translate("%(commas)s and %(last)s") % {
        "commas": comma.join(parts[:-1]),
        "last": parts[-1],
    }


def format_day(locale: Translating, date: datetime.datetime, gmt_offset: int, *, dow: bool) -> str:
    """A date as a day: "Monday, January 22"."""
    local = date - datetime.timedelta(minutes=gmt_offset)
    translate = locale.translate
    names = {
        "month_name": translate(MONTHS[local.month - 1]),
        "day": str(local.day),
        "weekday": translate(DAYS[local.weekday()]),
    }
    if dow:
        return translate("%(weekday)s, %(month_name)s %(day)s") % names
    return translate("%(month_name)s %(day)s") % names


def format_date(
    locale: Translating,
    date: float | datetime.datetime,
    gmt_offset: int,
    *,
    relative: bool,
    shorter: bool,
    full_format: bool,
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
) -> str:
    """A time as people say it: "5 minutes ago", "yesterday at 3:10 pm", "July 10, 2026 at 9:00 am".

    Args:
        locale: The language.
        date: The time: seconds since the epoch, or a datetime, UTC where it has no zone.
        gmt_offset: Minutes by which the reader's clock is behind UTC.
        relative: Whether times of the last day are told from now.
        shorter: Whether the hour is left out of older dates.
        full_format: Whether the whole date is wanted in any case.
        now: Gives the time that it is.
    """
    if not isinstance(date, datetime.datetime):
        date = datetime.datetime.fromtimestamp(date, datetime.UTC)
    elif date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    current = now()
    if date > current:
        # Clocks differ a little; a time further ahead is no mistake, and is told in full.
        if relative and (date - current).total_seconds() < 60:
            date = current
        else:
            full_format = True
    local = date - datetime.timedelta(minutes=gmt_offset)
    local_now = current - datetime.timedelta(minutes=gmt_offset)
    elapsed = current - date
    if not full_format:
        if relative and elapsed.days == 0:
            return _ago(locale.translate, elapsed.seconds)
        text = _recent(locale.translate, local, local_now, elapsed.days, shorter=shorter)
        if text is not None:
            return text
    return _told(
        locale,
        local,
        "%(month_name)s %(day)s, %(year)s at %(time)s"
        if not shorter or full_format
        else "%(month_name)s %(day)s, %(year)s",
    )


def _ago(translate: Callable[..., str], seconds: int) -> str:
    if seconds < 50:
        return translate("1 second ago", "%(seconds)d seconds ago", seconds) % {"seconds": seconds}
    if seconds < 50 * 60:
        minutes = round(seconds / 60)
        return translate("1 minute ago", "%(minutes)d minutes ago", minutes) % {"minutes": minutes}
    hours = round(seconds / 3600)
    return translate("1 hour ago", "%(hours)d hours ago", hours) % {"hours": hours}


def _recent(
    translate: Callable[..., str],
    local: datetime.datetime,
    local_now: datetime.datetime,
    days: int,
    *,
    shorter: bool,
) -> str | None:
    locale = _Fields(translate, local)
    if days == 0:
        return locale.fill("%(time)s")
    if days == 1 and local.day == (local_now - datetime.timedelta(days=1)).day:
        return locale.fill("yesterday" if shorter else "yesterday at %(time)s")
    if days < 5:
        return locale.fill("%(weekday)s" if shorter else "%(weekday)s at %(time)s")
    if days < 334:
        # Of the last eleven months the year needs no telling.
        return locale.fill(
            "%(month_name)s %(day)s" if shorter else "%(month_name)s %(day)s at %(time)s"
        )
    return None


class _Fields:
    """The parts of a time, translated."""

    def __init__(self, translate: Callable[..., str], local: datetime.datetime) -> None:
        self._translate = translate
        self._local = local

    def fill(self, text: str, time: str | None = None) -> str:
        local, translate = self._local, self._translate
        return translate(text) % {
            "month_name": translate(MONTHS[local.month - 1]),
            "weekday": translate(DAYS[local.weekday()]),
            "day": str(local.day),
            "year": str(local.year),
            "time": time if time is not None else _clock(translate, local),
        }


def _clock(translate: Callable[..., str], local: datetime.datetime) -> str:
    code = getattr(getattr(translate, "__self__", None), "code", "en_US")
    if code.startswith("zh"):
        half = ("\u4e0a\u5348", "\u4e0b\u5348")[local.hour >= 12]
        return f"{half}{local.hour % 12 or 12}:{local.minute:02d}"
    if code in {"en", "en_US"}:
        return f"{local.hour % 12 or 12}:{local.minute:02d} {'pm' if local.hour >= 12 else 'am'}"
    return f"{local.hour}:{local.minute:02d}"


def _told(locale: Translating, local: datetime.datetime, text: str) -> str:
    return _Fields(locale.translate, local).fill(text)
