"""Signed values: what was signed comes back, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.signing import (
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)

SECRET = "a secret of some length"
KEYS = {0: "the first", 1: "the second"}


def at(seconds):
    return lambda: seconds


@given(st.binary(max_size=200), st.text(max_size=20), st.sampled_from([1, 2]))
def test_what_was_signed_comes_back(value, name, version):
    signed = create_signed_value(SECRET, name, value, version=version)
    assert decode_signed_value(SECRET, name, signed) == value
    assert decode_signed_value("another secret", name, signed) is None


@given(st.binary(min_size=1, max_size=20), st.data())
def test_a_changed_byte_makes_it_worthless(value, data):
    signed = create_signed_value(SECRET, "name", value)
    at = data.draw(st.integers(0, len(signed) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != signed[at]))
    changed = signed[:at] + bytes([other]) + signed[at + 1 :]
    assert decode_signed_value(SECRET, "name", changed) is None


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_soup_is_refused(value):
    assert decode_signed_value(SECRET, "name", value) is None
    get_signature_key_version(value)


def test_the_format_is_the_known_one():
    signed = create_signed_value(SECRET, "key", "value", version=2, clock=at(1300000000))
    assert signed.startswith(b"2|1:0|10:1300000000|3:key|8:dmFsdWU=|")
    assert len(signed.rpartition(b"|")[2]) == 64
    old = create_signed_value(SECRET, "key", "value", version=1, clock=at(1300000000))
    assert old.startswith(b"dmFsdWU=|1300000000|")


def test_a_value_is_for_one_name_and_lives_for_a_time():
    for version in (1, 2):
        signed = create_signed_value(SECRET, "one", "v", version=version, clock=at(1e9))
        assert decode_signed_value(SECRET, "two", signed, clock=at(1e9)) is None
        day = 86400
        assert decode_signed_value(SECRET, "one", signed, clock=at(1e9 + 30 * day)) == b"v"
        assert decode_signed_value(SECRET, "one", signed, clock=at(1e9 + 32 * day)) is None
        assert (
            decode_signed_value(SECRET, "one", signed, max_age_days=1, clock=at(1e9 + 2 * day))
            is None
        )


def test_digits_moved_from_the_value_to_the_time_are_noticed():
    signed = create_signed_value(SECRET, "one", b"d0\xd3\x5d\x35", version=1, clock=at(1e9))
    encoded, stamp, signature = signed.split(b"|")
    moved = b"|".join([encoded[:-4], encoded[-4:] + stamp, signature])
    assert decode_signed_value(SECRET, "one", moved, clock=at(1e9)) is None


def test_keys_are_rotated():
    old = create_signed_value(KEYS, "n", "v", key_version=0)
    new = create_signed_value(KEYS, "n", "v", key_version=1)
    assert get_signature_key_version(new) == 1
    assert decode_signed_value(KEYS, "n", old) == decode_signed_value(KEYS, "n", new) == b"v"
    assert decode_signed_value({1: KEYS[1]}, "n", old) is None


def test_mistakes_raise_at_the_call():
    with pytest.raises(ValueError, match="key_version must say"):
        create_signed_value(KEYS, "n", "v")
    with pytest.raises(ValueError, match="no key of version 7"):
        create_signed_value(KEYS, "n", "v", key_version=7)
    with pytest.raises(ValueError, match="no version 3"):
        create_signed_value(SECRET, "n", "v", version=3)
    with pytest.raises(ValueError, match="no version 3"):
        decode_signed_value(SECRET, "n", "v", min_version=3)


def test_old_formats_can_be_refused():
    signed = create_signed_value(SECRET, "n", "v", version=1)
    assert decode_signed_value(SECRET, "n", signed, min_version=2) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        None,
        "2|",
        "2|" + "9" * 100_000,
        "2|1:0|" * 20_000,
        "|" * 60_000,
        "2|-1:0|",
        "2|1:0|99:1|",
        "2|²:0|",
        "\ud800",
        "2|1:0|10:1300000000|1:n|4:\ud800|",
    ],
)
def test_hostile_values_are_refused_in_linear_time(value):
    assert decode_signed_value(SECRET, "n", value) is None
    assert value is None or get_signature_key_version(value) is None


@given(st.text(st.characters(categories=None), max_size=100))
def test_text_that_is_no_utf_8_is_refused_too(value):
    assert decode_signed_value(SECRET, "n", value) is None
    get_signature_key_version("2|" + value)


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=7))
def test_fields_of_any_kind_are_refused(fields):
    value = b"2|" + b"|".join(b"%d:%s" % (len(field), field) for field in fields)
    assert decode_signed_value(SECRET, "n", value) is None
    get_signature_key_version(value)
