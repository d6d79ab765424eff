"""Text transforms."""

import html
import re
from urllib.parse import parse_qsl, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.escape import (
    json_encode,
    linkify,
    parse_qs_bytes,
    recursive_unicode,
    squeeze,
    unquote_bytes,
    url_escape,
    url_unescape,
    xhtml_escape,
    xhtml_unescape,
)

URLISH = st.text(alphabet="ahtp:/w.()&;!\"'<> -", max_size=80)


@given(st.binary(max_size=200) | st.text("%4aZ", max_size=60).map(str.encode))
def test_percent_escapes_are_decoded_as_the_standard_library_does(data):
    assert unquote_bytes(data) == unquote_to_bytes(data)


@given(st.text())
def test_urls_are_unescaped_to_what_was_escaped(text):
    assert url_unescape(url_escape(text)) == text
    assert url_unescape(url_escape(text, plus=False), plus=False) == text


def test_bytes_of_any_encoding_can_be_unescaped():
    assert url_unescape("%C3%A9+b", "latin-1") == "\xc3\xa9 b"
    assert url_unescape("%E9", None) == b"\xe9"
    with pytest.raises(UnicodeDecodeError):
        url_unescape("%E9")


@given(st.text("ab=&+%41;", max_size=60))
def test_queries_are_read_as_the_standard_library_does(text):
    expected = {}
    for name, value in parse_qsl(text, keep_blank_values=True, encoding="latin-1"):
        expected.setdefault(name, []).append(value.encode("latin-1"))
    assert parse_qs_bytes(text, keep_blank_values=True) == expected


def test_a_query_has_bytes_as_values_and_limits():
    assert parse_qs_bytes("a=%E9&b=&a=2") == {"a": [b"\xe9", b"2"]}
    with pytest.raises(ValueError, match="more than 1"):
        parse_qs_bytes("a=1&b=2", max_num_fields=1)
    with pytest.raises(ValueError, match="no field"):
        parse_qs_bytes("a=1&b", strict_parsing=True)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see http://a.example/!", "http://a.example/"),
        ("(see http://a.example/b_(c))", "http://a.example/b_(c)"),
        ("http://a.example/b_(c)_d, and", "http://a.example/b_(c)_d"),
        ("http://a.example/(((((b)", "http://a.example/"),
        ("http://a.example/?q=1&r=2.", "http://a.example/?q=1&amp;r=2"),
        ('"http://a.example/x"', "http://a.example/x"),
        ("<http://a.example>", "http://a.example"),
    ],
)
def test_an_address_ends_where_its_sentence_goes_on(text, address):
    assert f'<a href="{address}">{address}</a>' in linkify(text)


def test_links_have_attributes_and_short_texts():
    long = "http://a.example/a-rather-long/path/that-goes-on"
    made = linkify(f"at {long}", shorten=True, extra_params=lambda href: ' rel="nofollow"')
    assert made == (
        f'at <a href="{long}" rel="nofollow" title="{long}">http://a.example/a-rather...</a>'
    )


def test_only_permitted_protocols_become_links():
    assert "<a" not in linkify("javascript:///x and www.a.example", require_protocol=True)
    assert linkify("ftp://a.example/", permitted_protocols=["ftp"]).startswith("<a ")


@given(URLISH)
def test_linkify_only_adds_links_to_the_escaped_text(text):
    made = linkify(text)
    assert re.sub(r"</?a[^>]*>", "", made) == xhtml_escape(text)
    assert all(
        href == html.escape(html.unescape(href)) for href in re.findall(r'href="(.*?)"', made)
    )


@pytest.mark.parametrize(
    "text",
    [
        "http://" * 20_000,
        "www.a(" * 20_000,
        "www.(" * 20_000,
        "www." + "!" * 100_000,
        "w" * 100_000,
        "www.a&amp;" * 10_000,
    ],
)
def test_hostile_texts_come_back_with_nothing_lost(text):
    assert re.sub(r"</?a[^>]*>", "", linkify(text)) == xhtml_escape(text)


def test_other_transforms():
    assert squeeze(" a \n\t b ") == "a b"
    assert xhtml_unescape("&lt;&#233;&eacute;") == "<éé"
    assert json_encode("</script>") == '"<\\/script>"'
    assert recursive_unicode({b"a": [b"b", (b"c",)]}) == {"a": ["b", ("c",)]}
