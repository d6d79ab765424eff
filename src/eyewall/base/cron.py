"""When the five fields of a cron line come true: minute, hour, day of month, month, weekday."""

import datetime
import re
from collections.abc import Iterable
from typing import Final, final

_FORMS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS: Final[dict[str, int]] = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_DAYS: Final[dict[str, int]] = {
    "sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6,
}  # fmt: skip
_PART: Final = re.compile(r"(\*|[0-9a-z]{1,3})(?:-([0-9a-z]{1,3}))?(?:/([0-9]{1,2}))?", re.ASCII)
_LONGEST: Final = 200
# From one 29 February to the next it can be eight years (1896 to 1904, 2096 to 2104).
_HORIZON_DAYS: Final = 8 * 366


@final
class Cron:
    """A cron line.

    Each field is `*`, a number, a range `1-5`, a step `*/10` or `8-18/2`, or several of these
    with commas. Months and weekdays have their English names too; Sunday is 0 and 7. Where both
    days are restricted, either is enough, as cron has it. `@hourly`, `@daily`, `@weekly`,
    `@monthly` and `@yearly` are short for the obvious.

    Args:
        line: The fields.
        zone: Whose hours they are.

    Raises:
        ValueError: A field that cannot be read, or a day that never comes.

    Example:
        >>> line = Cron("30 6 * * mon-fri")
        >>> sunday = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
        >>> line.next_after(sunday).isoformat()
        '2026-11-23T06:30:00+00:00'
    """

    def __init__(self, line: str, zone: datetime.tzinfo = datetime.UTC) -> None:
        self.line = line
        self.zone = zone
        if len(line) > _LONGEST:
            raise ValueError(f"a cron line has at most {_LONGEST} characters")
        fields = _FORMS.get(line.strip().lower(), line).lower().split()
        if len(fields) != 5:
            raise ValueError(f"{line!r} has {len(fields)} fields, and a cron line five")
        minute, hour, day, month, weekday = fields
        self._minutes = sorted(_values(minute, 0, 59))
        self._hours = sorted(_values(hour, 0, 23))
        self._days = _values(day, 1, 31)
        self._months = _values(month, 1, 12, _MONTHS)
        self._weekdays = {value % 7 for value in _values(weekday, 0, 7, _DAYS)}
        self._either = not day.startswith("*") and not weekday.startswith("*")
        self.next_after(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))

    def next_after(self, moment: datetime.datetime) -> datetime.datetime:
        """The first time after a moment, in the line's zone.

        An hour that a change to summer time leaves out comes with the hour behind it; one that
        comes twice comes true once.

        Raises:
            ValueError: There is none.
        """
        local = moment.astimezone(self.zone)
        day = local.date()
        for _ in range(_HORIZON_DAYS):
            if self._is_on(day):
                for hour in self._hours:
                    for minute in self._minutes:
                        at = datetime.datetime.combine(day, datetime.time(hour, minute), self.zone)
                        if at.astimezone(datetime.UTC) > moment.astimezone(datetime.UTC):
                            return at
            day += datetime.timedelta(days=1)
        raise ValueError(f"{self.line!r} never comes true")

    def _is_on(self, day: datetime.date) -> bool:
        if day.month not in self._months:
            return False
        by_day, by_weekday = day.day in self._days, day.isoweekday() % 7 in self._weekdays
        return (by_day or by_weekday) if self._either else (by_day and by_weekday)


def _values(field: str, least: int, most: int, names: dict[str, int] | None = None) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        found.update(_part(part, least, most, names or {}))
    return found


def _part(part: str, least: int, most: int, names: dict[str, int]) -> Iterable[int]:
    match = _PART.fullmatch(part)
    if match is None or (match[1] == "*" and match[2]):
        raise ValueError(f"{part!r} is no part of a cron line")
    step = int(match[3]) if match[3] else 1
    if match[1] == "*":
        first, last = least, most
    else:
        first = _number(match[1], names)
        last = _number(match[2], names) if match[2] else (most if match[3] else first)
    if not least <= first <= last <= most or step < 1:
        raise ValueError(f"{part!r} is not between {least} and {most}")
    return range(first, last + 1, step)


def _number(text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdigit():
        raise ValueError(f"{text!r} is no number, and no name here")
    return int(text)
