"""The client under Tornado's name: its defaults, and the log lines that programs look for."""

import logging

import pytest

from eyewall.http.client import HTTPStreamClosedError
from eyewall.tornado.simple_httpclient import SimpleAsyncHTTPClient
from tests.unit.http.client.servers import answering, run

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (OK + b"Content-Length: 2000\r\n\r\n", "Content-Length too long"),
        (OK + b"\r\n" + b"x" * 2000, "Body too long"),
        (OK + b"Content-Length: 2, 3\r\n\r\n", "Multiple unequal Content-Lengths"),
        (OK + b"Content-Encoding: gzip\r\n\r\nx", "invalid gzip data"),
        (OK + b"A: b\r\n c\r\n\r\n", "the response's head has line folding, which is obsolete"),
        (b"HTTP/1.1 100 Go\r\n\r\n" * 11, "Too many 1xx responses"),
    ],
)
def test_a_malformed_response_is_logged_in_tornados_words(data, words, caplog):
    async def main():
        client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=1000)
        try:
            async with answering(data) as url:
                with pytest.raises(HTTPStreamClosedError):
                    await client.fetch(url)
        finally:
            client.close()

    with caplog.at_level(logging.INFO, "tornado.general"):
        run(main())
    assert caplog.messages == [f"Malformed HTTP message from None: {words}"]


def test_the_client_calls_itself_tornado_unless_told_otherwise():
    async def main():
        async def echo(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            agent = next(line for line in head.split(b"\r\n") if line.startswith(b"User-Agent"))
            writer.write(OK + b"\r\n" + agent)

        async with answering(echo) as url:
            for options, agent in (({}, b"Tornado/6.5.2"), ({"user_agent": "me"}, b"me")):
                client = SimpleAsyncHTTPClient(force_instance=True, defaults=options)
                assert (await client.fetch(url)).body == b"User-Agent: " + agent
                client.close()

    run(main())
