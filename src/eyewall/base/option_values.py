"""The values of options: how text becomes one, and which ones fit a type."""

import datetime
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from eyewall.base.errors import ConfigurationError

_MOST: Final = 1_000_000
_DATES: Final = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%Y-%m-%d",
    "%Y%m%d",
    "%a %b %d %H:%M:%S %Y",
    "%H:%M:%S",
    "%H:%M",
)
_UNITS: Final = {
    "hours": ("h", "hr", "hrs", "hour", "hours"),
    "minutes": ("m", "min", "mins", "minute", "minutes"),
    "seconds": ("", "s", "sec", "secs", "second", "seconds"),
    "milliseconds": ("ms", "millisecond", "milliseconds"),
    "microseconds": ("us", "microsecond", "microseconds"),
    "days": ("d", "day", "days"),
    "weeks": ("w", "week", "weeks"),
}
_UNIT_OF: Final = {spelling: unit for unit, all_ in _UNITS.items() for spelling in all_}
_AMOUNT: Final = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-z]*)\s*")
_RANGE: Final = re.compile(r"\s*([-+]?\d+)\s*:\s*([-+]?\d+)\s*\Z")


class Error(ConfigurationError):
    """An option that is unknown, or was given what it cannot take."""


def parse(name: str, type_: type, text: str) -> Any:
    """The value that `text` means for an option of that type.

    Raises:
        Error: It means none.
    """
    convert = _CONVERTERS.get(type_, type_)
    try:
        return convert(text)
    except (ValueError, TypeError, OverflowError) as exc:
        raise Error(f"option {name!r} cannot take {text!r}: it must be {_named(type_)}") from exc


def parse_list(name: str, type_: type, text: str) -> list[Any]:
    """The values of a list with commas; whole numbers may be ranges, `5:7`, with both ends.

    Raises:
        Error: One means nothing.
    """
    values: list[Any] = []
    for part in text.split(","):
        if type_ is int and (match := _RANGE.match(part)):
            values.extend(_range(name, int(match[1]), int(match[2])))
        else:
            values.append(parse(name, type_, part))
    return values


def check(name: str, type_: type, value: Any, *, multiple: bool) -> None:
    """Check that a value given by the program fits.

    Raises:
        Error: It does not.
    """
    if multiple and not isinstance(value, list):
        raise Error(f"option {name!r} must be a list of {_named(type_)}, not {value!r}")
    for item in value if multiple else [value]:
        if item is not None and not isinstance(item, type_):
            raise Error(f"option {name!r} must be {_named(type_)}, not {item!r}")


def _named(type_: type) -> str:
    return getattr(type_, "__name__", repr(type_))


def _range(name: str, low: int, high: int) -> Iterator[int]:
    if high - low >= _MOST:
        raise Error(f"option {name!r} cannot take a range of more than {_MOST} numbers")
    return iter(range(low, high + 1))


def _truth(text: str) -> bool:
    return text.lower() not in {"false", "0", "f"}


def _date(text: str) -> datetime.datetime:
    for form in _DATES:
        try:
            return datetime.datetime.strptime(text, form)  # noqa: DTZ007 - an option says no zone
        except ValueError:
            continue
    raise ValueError("no date")


def _duration(text: str) -> datetime.timedelta:
    at, total = 0, datetime.timedelta()
    while match := _AMOUNT.match(text, at):
        unit = _UNIT_OF.get(match[2])
        if unit is None:
            break
        total += datetime.timedelta(**{unit: float(match[1])})
        at = match.end()
    if at != len(text) or not text:
        raise ValueError("no duration")
    return total


_CONVERTERS: Final[dict[type, Callable[[str], Any]]] = {
    bool: _truth,
    datetime.datetime: _date,
    datetime.timedelta: _duration,
}
