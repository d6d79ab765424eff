"""Byte soup: whatever is thrown at the server, it answers or closes, and goes on serving."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Live, echo

FRAGMENTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"HTTP/1.1", b"Host: h\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
        b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b";a=b", b"hello",
        b"\x00", b"\xff", b" ", b"\t", b":", b"PROXY TCP4 ", b"\x16\x03\x01",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",
    ]
)  # fmt: skip
SOUP = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=20)), max_size=20)


@settings(max_examples=150)
@given(soup=SOUP, cut=st.integers(1, 200))
def test_the_server_survives_byte_soup(soup, cut):
    async def main():
        live = Live(echo)
        peer = await live.connect()
        data = b"".join(soup)
        for at in range(0, len(data), cut):
            peer.send(data[at : at + cut])
            await asyncio.sleep(0)
        if peer.writer.can_write_eof():
            peer.writer.write_eof()
        answer = await peer.read_all()
        assert b"Traceback" not in answer
        await peer.close()
        answer = await live.ask(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        live.close()

    asyncio.run(asyncio.wait_for(main(), 30))


@settings(max_examples=100)
@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    chunk=st.integers(1, 50),
    cut=st.integers(1, 1000),
)
def test_pipelined_bodies_come_back_whole_however_they_are_cut(bodies, chunk, cut):
    async def main():
        live = Live(echo)
        peer = await live.connect()
        data = b""
        for number, body in enumerate(bodies):
            if number % 2:
                data += (
                    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
            else:
                data += b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                for at in range(0, len(body), chunk):
                    piece = body[at : at + chunk]
                    data += b"%x\r\n%s\r\n" % (len(piece), piece)
                data += b"0\r\n\r\n"
        for at in range(0, len(data), cut):
            peer.send(data[at : at + cut])
            await asyncio.sleep(0)
        assert [(await peer.answer())[2] for _ in bodies] == bodies
        await peer.close()
        live.close()

    asyncio.run(asyncio.wait_for(main(), 30))
