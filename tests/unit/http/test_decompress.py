"""Request bodies in gzip are decoded, within bounds."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.engine import ProtocolError
from eyewall.http.memory import MemoryExchange
from eyewall.http.server import HTTPServer
from eyewall.http.server.decompress import DecodedExchange, decompressing


class Pieces(MemoryExchange):
    """A request whose body comes in pieces, some of them later."""

    def __init__(self, pieces, headers=(), later=()):
        super().__init__("POST", "/", [("Content-Encoding", "gzip"), *headers], b"x")
        self.pieces, self.later, self.waiting = [*pieces, b""], set(later), None
        self.limit = None

    def set_body_limit(self, max_bytes):
        self.limit = max_bytes

    def read(self, callback):
        if len(self.pieces) in self.later:
            self.waiting = callback
            return None
        return self.pieces.pop(0)

    def arrive(self):
        self.later.discard(len(self.pieces))
        waiting, self.waiting = self.waiting, None
        waiting(self.pieces.pop(0))


def whole(exchange):
    """The body, or the error, once all pieces have arrived."""
    found = []
    decoded = DecodedExchange(exchange, 10_000_000)
    body = decoded.read_all(found.append)
    while body is None and not found:
        exchange.arrive()
    return found[0] if body is None else body


@given(st.binary(max_size=500), st.sets(st.integers(1, 30)), st.integers(1, 200))
def test_a_body_is_the_same_however_it_comes(data, later, size):
    coded = gzip.compress(data)
    pieces = [coded[at : at + size] for at in range(0, len(coded), size)]
    assert whole(Pieces(pieces, later=later)) == data


@pytest.mark.parametrize("later", [(), {1}, {2}, {1, 2}])
def test_what_is_no_gzip_is_the_clients_mistake(later):
    for coded in (b"not gzip", gzip.compress(b"x" * 100)[:-9]):
        try:
            outcome = whole(Pieces([coded], later=later))
        except ProtocolError as exc:
            outcome = exc
        assert isinstance(outcome, ProtocolError)
        assert outcome.status == 400


def test_a_small_body_cannot_become_a_large_one():
    bomb = gzip.compress(b"\0" * 50_000_000)
    exchange = Pieces([bomb])
    decoded = DecodedExchange(exchange, 1_000_000)
    got = 0
    with pytest.raises(ProtocolError) as caught:
        while piece := decoded.read(lambda _: None):
            got += len(piece)
            assert len(piece) <= 65536
    assert caught.value.status == 413
    assert got <= 1_000_000


def test_a_handlers_own_limit_holds_for_both_sizes():
    exchange = Pieces([gzip.compress(b"x" * 1000)])
    decoded = DecodedExchange(exchange, 1_000_000)
    decoded.set_body_limit(100)
    assert exchange.limit == 100
    with pytest.raises(ProtocolError):
        decoded.read(lambda _: None)


def test_the_coding_gets_another_name():
    exchange = Pieces([], [("Content-Length", "30"), ("X-Other", "1")])
    decoded = DecodedExchange(exchange, 100)
    assert decoded.headers == [("X-Consumed-Content-Encoding", "gzip"), ("X-Other", "1")]
    assert decoded.header("Content-Encoding") is None
    assert decoded.header("content-length") is None
    assert decoded.header("X-Consumed-Content-Encoding") == "gzip"
    assert decoded.header("x-other") == "1"
    assert (decoded.method, decoded.content_length) == ("POST", None)


def test_only_gzip_is_wrapped():
    seen = []
    serve = decompressing(seen.append, 100)
    plain = MemoryExchange("POST", "/", [("Content-Encoding", "br")], b"x")
    serve(plain)
    serve(Pieces([]))
    empty = MemoryExchange("GET", "/", [("Content-Encoding", "gzip")])
    serve(empty)
    assert seen[0] is plain
    assert isinstance(seen[1], DecodedExchange)
    assert seen[2] is empty


def test_a_server_decodes_when_it_is_told_to(run):
    async def main():
        from eyewall.http.client import AsyncHTTPClient
        from eyewall.testing import bind_unused_port
        from eyewall.web import Application

        app = Application(access_log=False)

        @app.post("/")
        def echo(request):
            return {
                "body": request.body.decode(),
                "coding": request.headers.get("Content-Encoding"),
            }

        server = HTTPServer(app, decompress_request=True)
        sock, port = bind_unused_port()
        with sock:
            server.add_sockets([sock])
        client = AsyncHTTPClient(force_instance=True)
        response = await client.fetch(
            f"http://127.0.0.1:{port}/",
            method="POST",
            headers={"Content-Encoding": "gzip"},
            body=gzip.compress(b"hello"),
        )
        client.close()
        server.close()
        return json.loads(response.body)

    assert run(main) == {"body": "hello", "coding": None}
