"""When cron lines come true."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.cron import Cron

UTC = datetime.UTC
BERLIN = ZoneInfo("Europe/Berlin")


def after(line, text, zone=UTC):
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=zone)
    return Cron(line, zone).next_after(moment).isoformat()


@pytest.mark.parametrize(("line", "moment", "expected"), [
    ("* * * * *", "2026-11-21T10:00:00", "2026-11-21T10:01:00+00:00"),
    ("*/15 * * * *", "2026-11-21T10:00:00", "2026-11-21T10:15:00+00:00"),
    ("0 6 * * *", "2026-11-21T06:00:00", "2026-11-22T06:00:00+00:00"),
    ("30 6 * * mon-fri", "2026-11-20T07:00:00", "2026-11-23T06:30:00+00:00"),
    ("0 0 1 jan,jul *", "2026-11-21T00:00:00", "2027-01-01T00:00:00+00:00"),
    ("0 12 13 * fri", "2026-11-21T00:00:00", "2026-11-27T12:00:00+00:00"),
    ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00+00:00"),
    ("0 8-18/5 * * 7", "2026-11-21T00:00:00", "2026-11-22T08:00:00+00:00"),
    ("5/20 * * * *", "2026-11-21T10:06:00", "2026-11-21T10:25:00+00:00"),
    ("@weekly", "2026-11-21T10:06:00", "2026-11-22T00:00:00+00:00"),
    (" @Hourly ", "2026-11-21T10:06:00", "2026-11-21T11:00:00+00:00"),
])  # fmt: skip
def test_the_next_time_is_found(line, moment, expected):
    assert after(line, moment) == expected


def test_an_hour_that_summer_time_leaves_out_still_comes_once():
    before = datetime.datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    cron = Cron("30 2 * * *", BERLIN)
    first = cron.next_after(before)
    second = cron.next_after(first)
    assert first.astimezone(UTC).isoformat() == "2026-03-29T01:30:00+00:00"
    assert second.astimezone(UTC).isoformat() == "2026-03-30T00:30:00+00:00"


def test_an_hour_that_comes_twice_is_one():
    before = datetime.datetime(2026, 10, 24, 12, tzinfo=BERLIN)
    cron = Cron("30 2 * * *", BERLIN)
    first = cron.next_after(before).astimezone(UTC)
    second = cron.next_after(first).astimezone(UTC)
    assert first.isoformat() == "2026-10-25T00:30:00+00:00"
    assert second.isoformat() == "2026-10-26T01:30:00+00:00"


@pytest.mark.parametrize("line", [
    "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
    "5-3 * * * *", "*/0 * * * *", "a * * * *", "* * * foo *", "*-5 * * * *", "1,,2 * * * *",
    "0 0 30 2 *", "0 0 31 4,6 *", "@often", "1 " * 200, "-1 * * * *", "\u0661 * * * *",
])  # fmt: skip
def test_a_line_that_means_nothing_is_refused(line):
    with pytest.raises(ValueError):
        Cron(line)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(line):
    try:
        cron = Cron(line)
    except ValueError:
        return
    assert cron.next_after(datetime.datetime(2026, 1, 1, tzinfo=UTC)).year < 2036


_fields = st.tuples(
    st.sampled_from(["*", "0", "*/7", "10-20", "5,50"]), st.sampled_from(["*", "3", "*/6", "1,2,3"]),
    st.sampled_from(["*", "1", "15-20", "31"]), st.sampled_from(["*", "2-5", "jan,dec"]),
    st.sampled_from(["*", "0", "mon-fri", "6"]),
)  # fmt: skip


@given(_fields, st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2080, 1, 1)))
def test_times_go_forward_and_are_whole_minutes(fields, moment):
    try:
        cron = Cron(" ".join(fields), BERLIN)
    except ValueError:
        return
    now = moment.replace(tzinfo=UTC)
    for _ in range(5):
        following = cron.next_after(now)
        assert following > now
        assert following.second == following.microsecond == 0
        now = following
