"""Servers, connections and messages as Tornado's programs use them."""

import asyncio
import socket
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.memory import MemoryExchange
from eyewall.http.request_connection import RequestConnection
from eyewall.tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from eyewall.tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
)
from eyewall.tornado.iostream import IOStream
from eyewall.tornado.legacy.changed_exchange import behind_proxies, with_scheme
from eyewall.tornado.legacy.deflate import (
    Compressor,
    Decompressor,
    DecompressTooLargeError,
    masked,
)
from eyewall.tornado.legacy.notices import TornadoNoticeLog
from eyewall.tornado.legacy.raw_connection import RawConnection
from eyewall.tornado.legacy.stream_buffer import StreamBuffer


class Told(HTTPMessageDelegate):
    """Keeps what it is told."""

    def __init__(self, fails=None):
        self.code, self.pieces, self.ends, self.fails = None, [], [], fails

    def headers_received(self, start_line, headers):
        if self.fails == "headers":
            raise ZeroDivisionError
        self.code = start_line.code

    async def data_received(self, chunk):
        if self.fails == "data":
            raise ZeroDivisionError
        self.pieces.append(chunk)

    def finish(self):
        self.ends.append("finish")

    def on_connection_close(self):
        self.ends.append("close")


def read(run, answer, *, method="GET", end=True, fails=None, **params):
    """What a delegate was told of an answer, and whether the connection lasts."""

    async def main():
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        peer = IOStream(theirs)
        connection = HTTP1Connection(IOStream(ours), True, HTTP1ConnectionParameters(**params))
        connection.write_headers(RequestStartLine(method, "/", ""), HTTPHeaders({"Host": "h"}))
        await peer.read_until(b"\r\n\r\n")
        sent = asyncio.ensure_future(peer.write(answer))
        told = Told(fails)
        if end:
            await sent
            peer.close()
        lasts = await connection.read_response(told)
        connection.close()
        peer.close()
        await asyncio.wait([sent])
        sent.exception()
        return told, lasts

    return run(main)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK + b"Content-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (OK + b"Content-Length: 2, 2\r\n\r\nhi", b"hi"),
    ],
)  # fmt: skip
def test_answers_are_read_to_their_end(run, answer, body):
    told, lasts = read(run, answer, end=False)
    assert (b"".join(told.pieces), told.ends, lasts) == (body, ["finish"], True)


def test_an_answer_without_a_length_ends_with_the_connection(run):
    told, lasts = read(run, b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert (b"".join(told.pieces), told.ends, lasts) == (b"hello", ["finish"], False)


def test_the_answer_to_head_has_no_body(run):
    told, lasts = read(run, OK + b"Content-Length: 5\r\n\r\n", method="HEAD", end=False)
    assert (told.pieces, lasts) == ([], True)


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"Content-Length: 1, 2\r\n\r\nxx",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nfooXX0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 500,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 12,
        b"HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\nx",
        OK + b"Content-Length: 5\r\n\r\nhell",
        OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_malformed_answers_end_the_connection(run, answer, caplog):
    told, lasts = read(run, answer)
    assert (told.ends, lasts) == (["close"], False)
    assert "Traceback" not in caplog.text


def test_bodies_have_a_limit(run):
    for answer in (
        OK + b"Content-Length: 50\r\n\r\n" + b"x" * 50,
        OK + b"Transfer-Encoding: chunked\r\n\r\n32\r\n" + b"x" * 50 + b"\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 50,
    ):
        assert read(run, answer, max_body_size=10)[0].ends == ["close"]


@pytest.mark.parametrize("fails", ["headers", "data"])
def test_a_delegate_that_raises_is_logged_and_told_of_the_end(run, fails, caplog):
    told, lasts = read(run, OK + b"Content-Length: 1\r\n\r\nx", fails=fails)
    assert (told.ends, lasts) == (["close"], False)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_request_can_be_sent_in_chunks(run):
    async def main():
        ours, theirs = socket.socketpair()
        connection = HTTP1Connection(IOStream(ours), True)
        line = RequestStartLine("POST", "/x", "")
        connection.write_headers(line, HTTPHeaders({"Host": "h"}), b"ab")
        await connection.write(b"c")
        connection.finish()
        stream = connection.detach()
        with pytest.raises(RuntimeError, match="detached"):
            connection.write(b"d")
        stream.close()
        peer = IOStream(theirs)
        return await peer.read_until_close()

    assert run(main) == (
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )


def test_a_connection_is_a_clients():
    with pytest.raises(ValueError, match="HTTPServer"):
        HTTP1Connection(None, False)


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({}, ("9.9.9.9", "http")),
        ({"X-Real-Ip": "4.4.4.4"}, ("4.4.4.4", "http")),
        ({"X-Forwarded-For": "1.1.1.1, 4.4.4.4, 5.5.5.5"}, ("4.4.4.4", "http")),
        ({"X-Forwarded-For": "4.4.4.4<script>"}, ("9.9.9.9", "http")),
        ({"X-Real-Ip": "www.example.com"}, ("9.9.9.9", "http")),
        ({"X-Forwarded-Proto": "http, https"}, ("9.9.9.9", "https")),
        ({"X-Scheme": "gopher"}, ("9.9.9.9", "http")),
    ],
)
def test_forwarding_headers_are_believed(headers, seen):
    found = []
    app = behind_proxies(lambda each: found.append((each.remote_ip, each.scheme)), ["5.5.5.5"])
    app(MemoryExchange("GET", "/", headers.items(), remote_ip="9.9.9.9"))
    assert found == [seen]


def test_a_scheme_can_be_given():
    found = []
    with_scheme(lambda each: found.append((each.scheme, each.method)), "https")(MemoryExchange())
    assert found == [("https", "GET")]


def test_a_raw_answer_is_taken_apart(run):
    async def main():
        exchange = MemoryExchange()
        connection = RawConnection(exchange)
        await connection.write(b"HTTP/1.1 201 Made\r\nA: b\r\n")
        await connection.write(b"\r\nbody")
        await connection.write(b" and more")
        connection.finish()
        broken = RawConnection(MemoryExchange())
        with pytest.raises(HTTPInputError):
            broken.write(b"nonsense\r\n\r\n")
        endless = RawConnection(MemoryExchange())
        with pytest.raises(ValueError, match="does not end"):
            endless.write(b"x" * 70_000)
        return exchange

    exchange = run(main)
    assert (exchange.status, exchange.reason, exchange.answer_body) == (
        201,
        "Made",
        b"body and more",
    )
    assert issubclass(RawConnection, RequestConnection)


@given(st.booleans(), st.lists(st.binary(max_size=300), max_size=4))
def test_messages_are_the_same_after_compression(persistent, messages):
    compressor, decompressor = Compressor(persistent, 12), Decompressor(persistent, 12, 1000)
    for message in messages:
        assert decompressor.decompress(compressor.compress(message)) == message


def test_large_and_malformed_messages_are_refused():
    bomb = Compressor(False, None).compress(b"\0" * 1_000_000)
    with pytest.raises(DecompressTooLargeError):
        Decompressor(False, None, 1000).decompress(bomb)
    with pytest.raises(zlib.error):
        Decompressor(False, None, 1000).decompress(b"\xff\xff\xff")
    with pytest.raises(ValueError, match="8 to 15"):
        Compressor(False, 16)


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=50))
def test_a_mask_goes_as_it_comes(mask, data):
    assert masked(mask, masked(mask, data)) == data
    assert masked(mask, data) == bytes(each ^ mask[at % 4] for at, each in enumerate(data))


@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 30))))
def test_a_buffer_keeps_the_order(steps):
    buffer, expected = StreamBuffer(), b""
    for data, take in steps:
        buffer.append(data)
        expected += data
        with buffer.peek(7) as view:
            assert bytes(view) == expected[:7]
        if 0 < take <= len(expected):
            buffer.advance(take)
            expected = expected[take:]
        assert len(buffer) == len(expected)
    with pytest.raises(ValueError, match="cannot be taken"):
        buffer.advance(len(buffer) + 1)


def test_refused_requests_are_told_of_in_known_words(caplog):
    caplog.set_level("INFO")
    log = TornadoNoticeLog()
    log("refused", "1.2.3.4:5", "the request line is malformed: answered 400")
    log("refused", "", "something else: answered 400")
    log("refused", "1.2.3.4:5", "WebSocket: too big")
    log("tls", "1.2.3.4:5", "bad record")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "Malformed HTTP message from 1.2.3.4:5: Malformed HTTP request line"),
        ("INFO", "Malformed HTTP message from a Unix socket: something else"),
        ("WARNING", "SSL Error on 1.2.3.4:5: bad record"),
    ]
