"""Fields of negotiation and coded bodies: whatever comes, an answer of the right kind."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.http.encoding import (
    BodyTooLargeError,
    EncodingError,
    available_codings,
    decode,
    decoder,
    encode,
    encoder,
)
from eyewall.http.negotiation import (
    MAX_CHOICES,
    parse_choices,
    preferred_encoding,
    preferred_language,
    preferred_type,
)

TOKEN = st.text("abcdefgzip-*/0123456789", min_size=1, max_size=8)
PIECES = st.sampled_from(
    ["gzip", "br", "identity", "*", "*/*", "text/html", "en", "de-AT", ";q=", "0", "1", ".5", "0.5",
     ",", ";", "=", '"', "\\", " ", "\t", "q", "level=1", "\x00", "é"]
)  # fmt: skip
SOUP = st.one_of(st.text(max_size=100), st.lists(PIECES, max_size=40).map("".join))
CODING = st.sampled_from(available_codings())


@given(SOUP)
def test_any_field_gives_sorted_choices_within_bounds(field):
    choices = parse_choices(field)
    assert len(choices) <= MAX_CHOICES
    found = [choice.weight for choice in choices]
    assert found == sorted(found, reverse=True)
    assert all(0 <= weight <= 1 for weight in found)


@given(st.dictionaries(TOKEN, st.integers(0, 1000), max_size=20))
def test_a_field_that_was_written_is_read_back(weights):
    field = ", ".join(f"{name};q={weight / 1000:.3f}" for name, weight in weights.items())
    read = {choice.value: choice.weight for choice in parse_choices(field)}
    assert read == {name: weight / 1000 for name, weight in weights.items()}


@given(SOUP, st.lists(TOKEN, unique=True, max_size=5))
def test_what_is_chosen_was_offered(field, offered):
    assert preferred_encoding(field, offered) in {*offered, "identity", None}
    assert preferred_type(field, offered) in {*offered, None}
    assert preferred_language(field, offered) in {*offered, None}


@given(st.lists(TOKEN, unique=True, min_size=1, max_size=5), st.data())
def test_what_is_refused_is_not_chosen(offered, data):
    refused = data.draw(st.sampled_from(offered))
    field = f"{refused};q=0, *;q=0.5"
    assert preferred_encoding(field, offered) != refused or refused == "*"


@given(CODING, st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5), st.booleans())
def test_a_body_comes_back_however_it_is_cut(coding, body, cuts, flushing):
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    out, into = encoder(coding), decoder(coding, len(body))
    got = b""
    for start, end in itertools.pairwise(places):
        coded = out.compress(body[start:end]) + (out.flush() if flushing else b"")
        got += into.decompress(coded)
        assert not flushing or got == body[:end]
    got += into.decompress(out.finish())
    into.finish()
    assert got == body


@settings(max_examples=300)
@given(CODING, st.binary(max_size=300), st.integers(0, 1000))
def test_soup_is_decoded_within_the_limit_or_refused(coding, soup, limit):
    try:
        assert len(decode(coding, soup, limit)) <= limit
    except EncodingError:
        pass


@given(CODING, st.binary(min_size=1, max_size=500), st.data())
def test_a_changed_body_is_refused_or_within_the_limit(coding, body, data):
    coded = bytearray(encode(coding, body))
    place = data.draw(st.integers(0, len(coded) - 1))
    coded[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert len(decode(coding, bytes(coded), 600)) <= 600
    except EncodingError:
        pass


@given(CODING, st.integers(1, 5000), st.integers(0, 5000))
def test_the_limit_holds_to_the_byte(coding, size, limit):
    coded = encode(coding, bytes(size))
    if size <= limit:
        assert decode(coding, coded, limit) == bytes(size)
        return
    try:
        decode(coding, coded, limit)
    except BodyTooLargeError:
        return
    raise AssertionError("more than the limit came out")
