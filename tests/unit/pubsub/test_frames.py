"""Frames between processes and the local hub, and the texts of positions."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.pubsub import Position
from eyewall.pubsub.backends.frames import (
    Added,
    Answer,
    FrameError,
    FrameReader,
    Hello,
    Kept,
    Publish,
    Read,
    Reply,
    Request,
    Welcome,
    frame,
)
from eyewall.pubsub.message import Page, Record

NUMBERS = st.integers(0, 2**62)
RECORDS = st.lists(
    st.builds(Record, NUMBERS, st.text(), st.binary(), st.none() | st.text(), st.floats(0, 1e12)),
    max_size=3,
)
REQUESTS = st.one_of(
    st.builds(Hello, st.text(), st.text(), NUMBERS),
    st.builds(
        Publish, NUMBERS, st.text(), st.binary(), st.none() | st.text(), NUMBERS, st.floats(0, 1e9)
    ),
    st.builds(Read, NUMBERS, st.lists(st.text(), max_size=3), NUMBERS, NUMBERS),
)
REPLIES = st.one_of(
    st.builds(Welcome, st.text(), NUMBERS, st.none() | RECORDS),
    st.builds(Added, RECORDS),
    st.builds(Kept, NUMBERS, NUMBERS),
    st.builds(Answer, NUMBERS, st.builds(Page, RECORDS, st.booleans(), NUMBERS, NUMBERS)),
)


@given(
    st.lists(REQUESTS | REPLIES, max_size=5), st.lists(st.integers(1, 40), min_size=1, max_size=10)
)
def test_frames_come_out_as_they_went_in_however_they_are_cut(messages, cuts):
    decode = {
        kind: msgspec.msgpack.Decoder(union).decode
        for union in (Request, Reply)
        for kind in union.__args__
    }
    data = b"".join(frame(message) for message in messages)
    reader, out, start = FrameReader(), [], 0
    for size in itertools.cycle(cuts):
        if start >= len(data):
            break
        out += reader.feed(data[start : start + size])
        start += size
    assert [
        decode[type(message)](each) for message, each in zip(messages, out, strict=True)
    ] == messages


def test_a_frame_that_is_too_long_is_refused_before_it_has_come():
    with pytest.raises(FrameError, match="4294967295 bytes"):
        FrameReader().feed(b"\xff\xff\xff\xff")
    reader = FrameReader(longest=3)
    assert [bytes(each) for each in reader.feed(b"\0\0\0\x03abc\0\0")] == [b"abc"]
    with pytest.raises(FrameError, match="4 bytes"):
        reader.feed(b"\0\x04")


def test_a_long_frame_in_small_pieces_is_joined_once():
    body = b"x" * 100_000
    reader = FrameReader()
    assert reader.feed(len(body).to_bytes(4, "big")) == []
    for start in range(0, len(body) - 10, 10):
        assert reader.feed(body[start : start + 10]) == []
    # Only the last piece makes the frame: what came before was kept as it was.
    assert len(reader._parts) == len(body) // 10
    assert bytes(reader.feed(body[-10:])[0]) == body


@given(st.from_regex(r"[0-9a-z]{1,32}", fullmatch=True), st.integers(0, 10**18 - 1))
def test_an_id_says_the_position_that_it_was_made_of(epoch, seq):
    assert Position.parse(str(Position(epoch, seq))) == (epoch, seq)


@given(st.text())
def test_what_is_read_as_an_id_is_written_the_same(text):
    try:
        position = Position.parse(text)
    except ValueError:
        return
    assert str(position) == text
