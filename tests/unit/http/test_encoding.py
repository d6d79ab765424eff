"""Codings of bodies, whole, in pieces and hostile."""

import gzip
import zlib

import pytest

from eyewall.base.errors import ConfigurationError
from eyewall.http import encoding
from eyewall.http.encoding import (
    CODINGS,
    BodyTooLargeError,
    EncodingError,
    available_codings,
    decode,
    decoder,
    encode,
    encoder,
)

AVAILABLE = available_codings()
TEXT = b"The quick brown fox. " * 5000


@pytest.fixture(params=CODINGS)
def coding(request):
    if request.param not in AVAILABLE:
        pytest.skip(f"no library for {request.param}")
    return request.param


def test_a_whole_body_comes_back(coding):
    for body in (b"", b"x", TEXT):
        assert decode(coding, encode(coding, body), len(body)) == body
    assert len(encode(coding, TEXT)) < len(TEXT) // 20


def test_what_was_flushed_can_be_read_at_once(coding):
    out, into = encoder(coding), decoder(coding, 100)
    for piece in (b"one", b"two", b"three"):
        assert into.decompress(out.compress(piece) + out.flush()) == piece
    assert into.decompress(out.finish()) == b""
    into.finish()


def test_a_body_may_come_byte_by_byte(coding):
    body = encode(coding, b"abc" * 100)
    into = decoder(coding, 300)
    assert b"".join(into.decompress(bytes([byte])) for byte in body) == b"abc" * 100
    into.finish()


def test_the_limit_counts_to_the_byte(coding):
    body = encode(coding, TEXT)
    assert decode(coding, body, len(TEXT)) == TEXT
    with pytest.raises(BodyTooLargeError, match=f"over {len(TEXT) - 1} bytes"):
        decode(coding, body, len(TEXT) - 1)


def test_a_bomb_is_stopped_at_the_limit(coding, monkeypatch):
    bomb = encode(coding, bytes(64 << 20))
    with pytest.raises(BodyTooLargeError):
        decode(coding, bomb, 1 << 20)


def test_a_body_that_ends_early_is_refused(coding):
    with pytest.raises(EncodingError, match="ends too early"):
        decode(coding, encode(coding, TEXT)[:-3], 1 << 20)
    with pytest.raises(EncodingError, match="ends too early"):
        decode(coding, b"", 1 << 20)


def test_what_is_in_no_coding_is_refused(coding):
    with pytest.raises(EncodingError):
        decode(coding, b"\xfenot at all in it" * 10, 1 << 20)


def test_several_gzip_members_are_one_body():
    assert decode("gzip", gzip.compress(b"one") + gzip.compress(b"two"), 6) == b"onetwo"
    assert decode("gzip", gzip.compress(b"") * 5000, 0) == b""


@pytest.mark.parametrize("name", ["deflate", "br"])
def test_nothing_may_follow_a_body_that_has_no_members(name):
    if name not in AVAILABLE:
        pytest.skip(f"no library for {name}")
    with pytest.raises(EncodingError):
        decode(name, encode(name, b"one") * 2, 100)


def test_deflate_is_read_bare_as_well():
    bare = zlib.compressobj(6, zlib.DEFLATED, -15)
    assert decode("deflate", bare.compress(TEXT) + bare.flush(), len(TEXT)) == TEXT


def test_codings_are_undone_from_the_last_to_the_first():
    body = encode("gzip", encode("deflate", b"hello"))
    assert decode("deflate, GZip, identity,", body, 100) == b"hello"
    assert decode("", b"as it is", 100) == b"as it is"


def test_many_codings_one_upon_another_are_refused():
    with pytest.raises(EncodingError, match="more than 3"):
        decode("gzip, " * 1000, b"", 100)


def test_an_unknown_coding_is_refused_shortly():
    with pytest.raises(EncodingError) as caught:
        decode("x" * 10_000, b"", 100)
    assert len(str(caught.value)) < 100
    with pytest.raises(EncodingError):
        encoder("compress")


def test_a_missing_library_is_named_with_its_installation(monkeypatch):
    monkeypatch.setattr(encoding, "_module", lambda coding: None)
    with pytest.raises(ConfigurationError, match=r"pip install eyewall\[brotli\]"):
        encoder("br")
    with pytest.raises(ConfigurationError, match=r"pip install eyewall\[zstd\]"):
        decoder("zstd", 1)


def test_the_gzip_of_a_body_is_always_the_same():
    assert encode("gzip", TEXT) == encode("gzip", TEXT)
