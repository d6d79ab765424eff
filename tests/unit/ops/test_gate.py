"""The traffic gate on a server with real connections."""

import asyncio

from eyewall.http.server.server import HTTPServer
from eyewall.ops.gate import Gate, GateLimits
from eyewall.testing import bind_unused_port


class Site:
    """A server whose application notes what it is asked."""

    def __init__(self, **limits):
        self.seen, self.kept = [], []
        self.server = HTTPServer(self.serve)
        sock, self.port = bind_unused_port()
        self.server.add_socket(sock)
        sock.close()
        self.gate = Gate(self.server, frozenset({"/healthz"}), GateLimits(**limits))
        self.clients = []

    def serve(self, exchange):
        self.seen.append(exchange.path)
        self.kept.append(exchange)
        if exchange.path == "/fails":
            raise RuntimeError("broken")
        if exchange.path != "/never":
            exchange.respond(200, {}, exchange.path.encode())

    async def ask(self, path, body=b""):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.clients.append(writer)
        head = f"GET {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return reader

    async def held(self, count):
        while self.gate.report().get("held") != count:
            await asyncio.sleep(0)

    def close(self):
        for writer in self.clients:
            writer.close()
        self.server.close()


async def status(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    return int(head.split()[1])


def test_held_requests_are_served_in_the_order_in_which_they_came(run):
    async def main():
        site = Site()
        assert await status(await site.ask("/before")) == 200
        site.gate.close()
        readers = []
        for number in range(100):
            readers.append(await site.ask(f"/{number}", b"x" * 10))
            await site.held(number + 1)
        assert site.seen == ["/before"]
        assert site.gate.running() == 0
        assert site.gate.open() == 100
        assert [await status(reader) for reader in readers] == [200] * 100
        assert site.seen == ["/before", *(f"/{number}" for number in range(100))]
        assert await status(await site.ask("/after")) == 200
        assert site.gate.report() == {"suspended": False}
        assert site.gate.open() == 0
        site.close()

    run(main)


def test_what_is_over_a_limit_is_told_when_to_come_back(run, caplog):
    async def main():
        site = Site(requests=2)
        site.gate.close()
        waiting = [await site.ask("/a"), await site.ask("/b")]
        await site.held(2)
        for _ in range(3):
            reader = await site.ask("/c")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 503 " in head
            assert b"Retry-After: 5" in head
        assert site.gate.report()["refused"] == 3
        site.gate.open()
        assert [await status(reader) for reader in waiting] == [200, 200]
        site.close()

    run(main)
    assert sum("others are answered 503" in record.message for record in caplog.records) == 1


def test_bytes_and_time_are_limited_too(run):
    async def main():
        site = Site(bytes=70_000, wait_s=0.05)
        site.gate.close()
        first = await site.ask("/a", b"x" * 65_536)
        await site.held(1)
        assert await status(await site.ask("/b", b"x" * 5000)) == 503
        # Nobody opens the gate: the time is up.
        assert await status(first) == 503
        assert site.gate.report()["held"] == 0
        assert site.seen == []
        site.close()

    run(main)


def test_health_checks_and_other_routes_pass(run):
    async def main():
        site = Site()
        site.gate.close("/orders/*")
        assert await status(await site.ask("/healthz")) == 200
        assert await status(await site.ask("/other")) == 200
        held = await site.ask("/orders/7")
        await site.held(1)
        site.gate.close()
        assert await status(await site.ask("/healthz")) == 200
        site.gate.open()
        assert await status(held) == 200
        site.close()

    run(main)


def test_a_client_that_leaves_is_not_served_and_one_that_fails_hinders_nobody(run, caplog):
    async def main():
        site = Site()
        site.gate.close()
        await site.ask("/gone")
        await site.held(1)
        site.clients[-1].transport.abort()
        failing = await site.ask("/fails")
        good = await site.ask("/good")
        while len(site.gate._held) != 2 or site.server.stats()["connections"] > 2:
            await asyncio.sleep(0)
        site.gate.open()
        assert await status(failing) == 500
        assert await status(good) == 200
        assert site.seen == ["/fails", "/good"]
        site.close()

    run(main)
    assert "Exception in a request that was held" in caplog.text


def test_it_says_how_many_requests_still_run(run):
    async def main():
        site = Site()
        await site.ask("/never")
        while site.server.stats()["exchanges"] < 1:
            await asyncio.sleep(0)
        site.gate.close()
        await site.ask("/held")
        await site.held(1)
        assert await site.gate.quiet(0.02) == 1
        site.gate.open()
        site.close()

    run(main)
