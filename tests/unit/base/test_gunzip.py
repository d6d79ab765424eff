"""gzip in pieces, with a bound on what comes out."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.gunzip import GzipDecompressor


def decoded(data, piece, limit):
    decoder = GzipDecompressor()
    out = b""
    for at in range(0, len(data), piece):
        left = data[at : at + piece]
        while left:
            more = decoder.decompress(left, limit)
            assert len(more) <= limit
            assert more or len(decoder.unconsumed_tail) < len(left)
            out, left = out + more, decoder.unconsumed_tail
    assert decoder.flush() == b""
    return out


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    st.integers(1, 400),
    st.integers(1, 500),
)
def test_members_come_out_whole_however_they_are_cut(members, piece, limit):
    data = b"".join(map(gzip.compress, members))
    assert decoded(data, piece, limit) == b"".join(members)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_decoded_or_refused(data, limit):
    try:
        decoded(data, 20, limit)
    except zlib.error:
        return
    assert data == b"" or data.startswith(b"\x1f\x8b")


@pytest.mark.parametrize("cut", [1, 10, 17])
def test_a_member_that_is_cut_short_is_an_error(cut):
    with pytest.raises(zlib.error):
        decoded(gzip.compress(b"hello") + gzip.compress(b"world")[:-cut], 1024, 1024)


def test_what_follows_the_members_is_an_error():
    with pytest.raises(zlib.error):
        decoded(gzip.compress(b"hello") + b"\0", 1024, 1024)


def test_a_bomb_stays_in_its_bounds():
    bomb = gzip.compress(b"\0" * 10_000_000)
    decoder = GzipDecompressor()
    assert len(decoder.decompress(bomb, 1000)) == 1000
    with pytest.raises(ValueError, match="unconsumed_tail"):
        decoder.flush()


def test_no_limit_is_deprecated():
    with pytest.warns(DeprecationWarning, match="max_length"):
        assert GzipDecompressor().decompress(gzip.compress(b"hello")) == b"hello"
