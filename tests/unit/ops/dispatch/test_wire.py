"""Heads and frames as they travel through Redis: round trips, and what is no frame."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.ops.dispatch.wire import AnswerHead, Frame, FrameError, Head, Keys, field_pairs

texts = st.text(st.characters(max_codepoint=255), max_size=20)
pairs = st.lists(st.tuples(texts, texts), max_size=5)


@given(texts, texts, pairs, st.none() | st.integers(0, 1 << 60))
def test_a_head_comes_back_as_it_went(method, target, headers, length):
    head = Head(method, target, "HTTP/1.1", "https", "h", "::1", headers, length, "whole")
    assert Head.decode(head.encode()) == head


@given(st.text(), st.integers(1, 1 << 40), st.binary(), st.none() | st.dictionaries(texts, texts))
def test_a_frame_comes_back_as_it_went(request, number, data, more):
    frame = Frame("piece", request, "worker-1", number, data, more)
    fields = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in frame.encode().items()
    }
    assert Frame.decode(fields) == frame


@given(st.binary(max_size=200))
def test_bytes_that_are_no_head_are_refused(data):
    with pytest.raises(FrameError):
        Head.decode(data)


@given(
    st.dictionaries(st.sampled_from([b"k", b"r", b"w", b"n", b"d", b"h"]), st.binary(max_size=9))
)
def test_fields_are_a_frame_or_refused(fields):
    try:
        frame = Frame.decode(fields)
    except FrameError:
        return
    assert isinstance(frame.kind, str)
    assert isinstance(frame.number, int)


GOOD = {
    "method": "GET", "target": "/", "version": "HTTP/1.1", "scheme": "http", "host": "h",
    "remote_ip": "", "headers": [["A", "b"]], "length": None, "body": "none",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", 1), ("target", None), ("headers", "x"), ("headers", [["a"]]),
        ("headers", [["a", 1]]), ("length", -1), ("length", "7"), ("body", "other"),
    ],
)  # fmt: skip
def test_a_head_with_a_wrong_value_is_refused(name, value):
    assert Head.decode(json.dumps(GOOD).encode()).method == "GET"
    with pytest.raises(FrameError):
        Head.decode(json.dumps({**GOOD, name: value}).encode())
    with pytest.raises(FrameError, match="without"):
        Head.decode(json.dumps({k: v for k, v in GOOD.items() if k != name}).encode())


def test_a_deep_nest_of_lists_is_refused():
    with pytest.raises(FrameError, match="not JSON"):
        Head.decode(b"[" * 200_000)


@pytest.mark.parametrize("more", [None, {}, {"status": "200"}, {"status": 99}, {"status": 600}])
def test_an_answer_without_a_status_is_refused(more):
    with pytest.raises(FrameError, match="status"):
        AnswerHead.of(more)


@given(pairs)
def test_fields_that_could_split_an_answer_are_refused(headers):
    bad = any(char in part for pair in headers for part in pair for char in "\r\n\0")
    if bad:
        with pytest.raises(ValueError, match="no field may have"):
            field_pairs(headers)
    else:
        assert field_pairs(headers) == headers


def test_two_programs_share_no_key():
    one, other = Keys("one"), Keys("other")
    names = {
        name
        for keys in (one, other)
        for name in (keys.requests, keys.alive, keys.sent, keys.counts, keys.inbox("x"))
    }
    assert len(names) == 10
