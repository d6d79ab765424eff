"""Ranges, entity tags and conditional requests."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.etag import (
    Outcome,
    evaluate,
    matches_strongly,
    matches_weakly,
    parse_tags,
    range_applies,
)
from eyewall.http.ranges import ByteRange, Unsatisfiable, content_range, parse_range

NOW = datetime.datetime(2026, 11, 21, 3, 0, tzinfo=datetime.UTC)
DATE, EARLIER, LATER = (
    "Sat, 21 Nov 2026 03:00:00 GMT",
    "Sat, 21 Nov 2026 02:59:59 GMT",
    "Sat, 21 Nov 2026 03:00:01 GMT",
)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=2-5", ByteRange(2, 6)),
        ("bytes=2-", ByteRange(2, 10)),
        ("bytes=2-99", ByteRange(2, 10)),
        ("bytes=-3", ByteRange(7, 10)),
        ("bytes=-99", ByteRange(0, 10)),
        ("Bytes = 1-2 ", ByteRange(1, 3)),
        ("bytes=10-", Unsatisfiable()),
        ("bytes=99-100", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=+1-2", None),
        ("items=0-1", None),
        ("bytes 0-1", None),
        ("bytes=" + "9" * 10_000 + "-", None),
        ("bytes=\u0661-\u0662", None),
    ],
)
def test_ranges(field, expected):
    assert parse_range(field, 10) == expected


def test_nothing_of_an_empty_file_can_be_asked_for():
    assert parse_range("bytes=0-", 0) == Unsatisfiable()
    assert parse_range("bytes=-5", 0) == Unsatisfiable()


@given(st.text(), st.integers(0, 1 << 40))
def test_a_range_lies_within(field, size):
    for each in (field, f"bytes={field}"):
        part = parse_range(each, size)
        if isinstance(part, ByteRange):
            assert 0 <= part.start < part.end <= size


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 100))
def test_ranges_mean_what_slices_mean(start, length, size):
    part = parse_range(f"bytes={start}-{start + length}", size)
    data = bytes(size)
    if isinstance(part, Unsatisfiable):
        assert data[start : start + length + 1] == b""
    else:
        assert data[part.start : part.end] == data[start : start + length + 1]
        assert content_range(part, size) == f"bytes {part.start}-{part.end - 1}/{size}"


def test_tags_are_parsed_until_something_is_none():
    assert parse_tags('"a", W/"b" ,"c,d"') == ['"a"', 'W/"b"', '"c,d"']
    assert parse_tags('"a" junk, "b"') == []
    assert parse_tags(" * ") is None
    assert parse_tags("") == []
    assert len(parse_tags('"a",' * 10_000)) == 100


@given(st.text())
def test_any_field_of_tags_is_taken(text):
    parse_tags(text)
    matches_weakly(text, '"a"')


def test_weak_and_strong_comparison():
    assert matches_weakly('W/"a"', '"a"')
    assert matches_weakly('"a"', 'W/"a"')
    assert not matches_weakly('"a"', '"b"')
    assert matches_weakly("*", '"a"')
    assert matches_strongly('"a"', '"a"')
    assert not matches_strongly('W/"a"', '"a"')
    assert not matches_strongly('W/"a"', 'W/"a"')


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("GET", {}, Outcome.PROCEED),
        ("GET", {"If-None-Match": '"t"'}, Outcome.NOT_MODIFIED),
        ("HEAD", {"If-None-Match": 'W/"t"'}, Outcome.NOT_MODIFIED),
        ("PUT", {"If-None-Match": "*"}, Outcome.FAILED),
        ("GET", {"If-None-Match": '"x"', "If-Modified-Since": DATE}, Outcome.PROCEED),
        ("GET", {"If-Modified-Since": DATE}, Outcome.NOT_MODIFIED),
        ("GET", {"If-Modified-Since": LATER}, Outcome.NOT_MODIFIED),
        ("GET", {"If-Modified-Since": EARLIER}, Outcome.PROCEED),
        ("GET", {"If-Modified-Since": "yesterday"}, Outcome.PROCEED),
        ("POST", {"If-Modified-Since": DATE}, Outcome.PROCEED),
        ("GET", {"If-Match": '"t"'}, Outcome.PROCEED),
        ("PUT", {"If-Match": '"x"'}, Outcome.FAILED),
        ("PUT", {"If-Match": 'W/"t"'}, Outcome.FAILED),
        ("GET", {"If-Match": '"t"', "If-Unmodified-Since": EARLIER}, Outcome.PROCEED),
        ("PUT", {"If-Unmodified-Since": EARLIER}, Outcome.FAILED),
        ("PUT", {"If-Unmodified-Since": DATE}, Outcome.PROCEED),
    ],
)
def test_conditions_in_their_order(method, fields, expected):
    assert evaluate(method, fields.get, '"t"', NOW) is expected


def test_if_range_wants_the_very_same():
    assert range_applies(None, '"t"', NOW)
    assert range_applies('"t"', '"t"', NOW)
    assert range_applies(DATE, '"t"', NOW)
    for field in ('"x"', 'W/"t"', EARLIER, LATER, "junk"):
        assert not range_applies(field, '"t"', NOW)
    assert not range_applies('W/"t"', 'W/"t"', NOW)
