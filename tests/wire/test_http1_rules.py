"""RFC 9112 and 9110 on the wire: what is refused, how, and that nothing is smuggled."""

import pytest

from tests.conftest import Live, echo, hello

GET = b"GET / HTTP/1.1\r\nHost: h\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\n"

REFUSED = {
    "host missing": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "host repeated": (GET + b"Host: h\r\n\r\n", 400),
    "host empty": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "host with user": (b"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400),
    "host with path": (b"GET / HTTP/1.1\r\nHost: h/p\r\n\r\n", 400),
    "host with bad port": (b"GET / HTTP/1.1\r\nHost: h:x\r\n\r\n", 400),
    "host list": (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    "asterisk with GET": (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "relative target": (b"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "fragment": (b"GET /#f HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "control in target": (b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "8-bit target": (b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "tab for space": (b"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: h\r\n\r\n", 400),
    "lower-case version": (b"GET / http/1.1\r\nHost: h\r\n\r\n", 400),
    "version 2.0": (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    "version 1.10": (b"GET / HTTP/1.10\r\nHost: h\r\n\r\n", 400),
    "method no token": (b"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "method too long": (b"G" * 40 + b" / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "space before colon": (GET + b"A : b\r\n\r\n", 400),
    "empty name": (GET + b": b\r\n\r\n", 400),
    "name no token": (GET + b"A(: b\r\n\r\n", 400),
    "no colon": (GET + b"A\r\n\r\n", 400),
    "obs-fold": (GET + b"A: b\r\n c\r\n\r\n", 400),
    "NUL in value": (GET + b"A: b\x00\r\n\r\n", 400),
    "control in value": (GET + b"A: b\x0b\r\n\r\n", 400),
    "CR in value": (GET + b"A: b\rc\r\n\r\n", 400),
    "bare LF after field": (GET + b"A: b\n\r\n", 400),
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: h\n\n", 400),
    "both lengths": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "length repeated": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "length list": (POST + b"Content-Length: 5, 5\r\n\r\nhello", 400),
    "length signed": (POST + b"Content-Length: +5\r\n\r\nhello", 400),
    "length negative": (POST + b"Content-Length: -5\r\n\r\nhello", 400),
    "length hex": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "length empty": (POST + b"Content-Length:\r\n\r\n", 400),
    "length spaced": (POST + b"Content-Length: 1 0\r\n\r\n", 400),
    "length absurd": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    "coding unknown": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "coding not last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 501),
    "coding twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    "coding repeated": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    "coding empty": (POST + b"Transfer-Encoding:\r\n\r\n", 400),
    "coding in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "expectation unknown": (POST + b"Content-Length: 1\r\nExpect: magic\r\n\r\n", 417),
    "TLS on clear text": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, 400),
    "binary": (b"\x00\x01\x02\x03", 400),
    "request line too long": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    "endless request line": (b"GET /" + b"a" * 9000, 414),
    "headers too large": (GET + b"A: " + b"b" * 70000 + b"\r\n\r\n", 431),
    "endless headers": (GET + b"A: b\r\n" * 12000, 431),
    "too many headers": (GET + b"A: b\r\n" * 101 + b"\r\n", 431),
}

BAD_CHUNKS = {
    "sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "padding before": b" 5\r\nhello\r\n0\r\n\r\n",
    "padding after": b"5 \r\nhello\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "bare LF after size": b"5\nhello\r\n0\r\n\r\n",
    "bare LF after data": b"5\r\nhello\n0\r\n\r\n",
    "too short": b"6\r\nhello\r\n0\r\n\r\n",
    "too long": b"4\r\nhello\r\n0\r\n\r\n",
    "empty size": b"\r\nhello\r\n0\r\n\r\n",
    "huge size": b"fffffffffffffffff\r\n",
    "bad extension": b"5;=\r\nhello\r\n0\r\n\r\n",
    "NUL in extension": b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 1000,
    "framing in trailer": b"0\r\nContent-Length: 1\r\n\r\n",
    "bad trailer": b"0\r\nA B: c\r\n\r\n",
    "bare LF in trailer": b"0\r\nA: b\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_malformed_heads_are_refused_and_the_connection_closes(run, case):
    data, status = REFUSED[case]

    async def main():
        live = Live(hello)
        answer = await live.ask(data)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:80]
        assert b"Connection: close" in answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert [notice[0] for notice in live.notices] == ["refused"]
        assert live.notices[0][2].endswith(str(status))
        assert (await live.ask(GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
        live.close()

    run(main)


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_malformed_chunks_are_refused_and_no_second_request_is_read(run, case):
    async def main():
        live = Live(echo)
        head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        answer = await live.ask(head + BAD_CHUNKS[case] + GET + b"\r\n")
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")), answer[:80]
        assert answer.count(b"HTTP/1.1 ") == 1
        live.close()

    run(main)


def test_a_body_shorter_than_announced_is_an_error_and_not_a_request(run):
    async def main():
        live = Live(echo)
        answer = await live.ask(POST + b"Content-Length: 10\r\n\r\nhello", eof=True)
        assert answer.startswith(b"HTTP/1.1 400 ")
        live.close()

    run(main)


def test_a_request_inside_a_body_is_body(run):
    async def main():
        live = Live(echo)
        inner = GET + b"\r\n"
        answer = await live.ask(
            POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner
        )
        assert answer.count(b"HTTP/1.1 200") == 1
        assert answer.endswith(inner)
        live.close()

    run(main)


def test_absolute_targets_name_the_host_and_an_empty_line_before_is_ignored(run):
    async def main():
        seen = []

        def app(exchange):
            seen.append((exchange.host, exchange.path, exchange.query))
            hello(exchange)

        live = Live(app)
        await live.ask(
            b"\r\nGET http://real:80/p?q HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n"
        )
        await live.ask(b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert seen == [("real:80", "/p", "q"), ("h", "*", "")]
        live.close()

    run(main)


def test_http_1_0_gets_no_informational_answers_and_no_chunks(run):
    async def main():
        def app(exchange):
            assert exchange.inform(103, {"Link": "</a>"}) is False
            exchange.start(200, {})
            exchange.write(b"one")
            exchange.write(b"two")
            exchange.end()

        live = Live(app)
        answer = await live.ask(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == b"onetwo"
        assert b"chunked" not in head
        assert b"Connection: close" in head
        live.close()

    run(main)
