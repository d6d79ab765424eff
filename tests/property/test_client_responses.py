"""Whatever a server sends, and in whatever pieces, a fetch ends and nothing stays open."""

import asyncio
import itertools
from xml.etree.ElementTree import Element, tostring

from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.http.client import HTTPClientError
from eyewall.http.client.auth import digest
from eyewall.http.client.events import EventReader
from eyewall.http.client.lines import LineSplitter
from eyewall.http.client.proxy import one_proxy, parse_proxy
from eyewall.http.client.url import parse_url
from eyewall.http.client.xml_reader import XMLReader
from tests.unit.http.client.servers import answering, making, run

TOKENS = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404 No\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n",
     b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
     b"5\r\nhello\r\n", b"0\r\n\r\n", b"hello", b"Content-Encoding: gzip\r\n", b"Location: /x\r\n",
     b"HTTP/1.1 302 Found\r\n", b"\n", b"\x00", b": ", b"Set-Cookie: a=b\r\n"]
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.lists(TOKENS | st.binary(max_size=20), max_size=8), min_size=1, max_size=4))
def test_any_bytes_are_a_response_or_an_error(pieces):
    async def main():
        async def behave(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(b"".join(piece))
                await writer.drain()
                await asyncio.sleep(0)

        async with making(max_body_size=10_000, max_header_size=1000) as client:
            async with answering(behave) as url:
                options = {"max_redirects": 2, "request_timeout": 5, "raise_error": False}
                for extra in ({}, {"streaming_callback": lambda _: None}):
                    fetch = client.fetch(url, **options, **extra)
                    await asyncio.wait([fetch])
                    error = fetch.exception()
                    # A redirect that leads nowhere is a ValueError.
                    assert error is None or isinstance(error, HTTPClientError | ValueError)
                    assert error is not None or 200 <= fetch.result().code < 600
                assert len(client.queue) == 0
                assert len(client.pool) <= 1

    run(main())


def cut(data, at):
    """The pieces between these places."""
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_lines_do_not_depend_on_the_pieces(data, at):
    def lines(pieces):
        splitter = LineSplitter(1000)
        found = [line for piece in pieces for line in splitter.feed(piece)]
        return found + list(splitter.finish())

    assert lines(cut(data, at)) == lines([data]) == data.splitlines()


EVENT_BYTES = st.lists(
    st.sampled_from([b"data: a", b"data", b"\n", b"\r\n", b"\r", b"event: x", b"id: 1", b"id: \0",
                     b":", b"retry: 5", b"retry: x", b"\xff", b"\xef\xbb\xbf", b"nonsense"]),
    max_size=20,
).map(b"".join)  # fmt: skip


@given(EVENT_BYTES, st.lists(st.integers(0, 100), max_size=6))
def test_events_do_not_depend_on_the_pieces(data, at):
    def events(pieces):
        reader = EventReader(1000)
        return [event for piece in pieces for event in reader.feed(piece)]

    assert events(cut(data, at)) == events([data])


NAMES = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20)


@given(
    st.lists(st.tuples(NAMES, TEXTS, st.dictionaries(NAMES, TEXTS, max_size=3)), max_size=6),
    st.lists(st.integers(0, 2000), max_size=8),
)
def test_elements_come_out_as_they_went_in(children, at):
    root = Element("root")
    for tag, text, attributes in children:
        child = Element(tag, attributes)
        child.text = text
        root.append(child)
    reader = XMLReader()
    data = tostring(root)
    found = [element for piece in cut(data, at) for element in reader.feed(piece)]
    found += reader.finish()
    assert [tostring(element) for element in found] == [tostring(child) for child in root]


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_value_error(text):
    for url in (text, "http://" + text, "https://a/" + text):
        try:
            target = parse_url(url)
        except ValueError:
            continue
        wire = f"GET {target.absolute} {target.authority} {target.path}"
        assert wire.isascii()
        assert wire.isprintable()
        assert wire.count(" ") == 3
    try:
        proxy = parse_proxy(text)
    except ValueError:
        return
    assert proxy.host
    assert one_proxy(text)(None) == proxy


@given(st.lists(st.text(max_size=100), max_size=3), st.text(max_size=10), st.text(max_size=10))
def test_no_challenge_breaks_an_answer_out_of_its_field(challenges, user, password):
    given_ones = [*challenges, *(f"Digest realm=r, nonce=n, {c}" for c in challenges)]
    value = digest(given_ones, "GET", "/", user, password)
    assert value is None or value.startswith("Digest ")
