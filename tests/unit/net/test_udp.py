"""Datagrams."""

import asyncio
import socket

import pytest

from eyewall.net.errors import StreamClosedError
from eyewall.net.udp import open_udp


def test_datagrams_come_whole_and_with_their_sender(go):
    async def main():
        async with await open_udp(("127.0.0.1", 0)) as server:
            async with await open_udp(remote=server.address) as client:
                await client.send(b"one")
                await client.send(b"x" * 60_000)
                assert await server.recv() == (b"one", client.address)
                data, sender = await server.recv()
                assert len(data) == 60_000
                await server.send(b"back", sender)
                assert await client.recv() == (b"back", server.address)

    go(main)


def test_a_socket_that_only_sends_needs_no_address(go):
    async def main():
        async with await open_udp(("127.0.0.1", 0)) as server, await open_udp() as client:
            await client.send(b"x", server.address)
            assert (await server.recv())[0] == b"x"
        async with await open_udp(family=socket.AF_INET6) as six:
            assert six.address[0] == "::"

    go(main)


def test_a_full_queue_drops_and_counts(go):
    async def main():
        async with await open_udp(("127.0.0.1", 0), queue_size=2) as server:
            async with await open_udp(remote=server.address) as client:
                for number in range(5):
                    await client.send(b"%d" % number)
                while server.dropped < 3:
                    await asyncio.sleep(0)
                assert [(await server.recv())[0] for _ in range(2)] == [b"0", b"1"]
        with pytest.raises(ValueError, match="0 datagrams"):
            await open_udp(queue_size=0)

    go(main)


def test_a_cancelled_receiver_leaves_the_datagram_to_the_next(go):
    async def main():
        async with await open_udp(("127.0.0.1", 0)) as server:
            first = asyncio.ensure_future(server.recv())
            second = asyncio.ensure_future(server.recv())
            await asyncio.sleep(0)
            await server.send(b"x", server.address)
            first.cancel()
            assert (await second)[0] == b"x"

    go(main)


def test_closing_ends_receiving_and_sending(go):
    async def main():
        server = await open_udp(("127.0.0.1", 0))
        waiting = asyncio.ensure_future(server.recv())
        address = server.address
        await asyncio.sleep(0)
        server.close()
        with pytest.raises(StreamClosedError):
            await waiting
        with pytest.raises(StreamClosedError):
            await server.send(b"x", address)
        assert [item async for item in server] == []

    go(main)


def test_the_address_is_given_once(go):
    async def main():
        async with await open_udp(("127.0.0.1", 0)) as server:
            with pytest.raises(ValueError, match="name the address"):
                await server.send(b"x")
            with pytest.raises(ValueError, match="one byte"):
                await server.send(b"", server.address)
            async with await open_udp(remote=server.address) as client:
                with pytest.raises(ValueError, match="the peer is"):
                    await client.send(b"x", server.address)

    go(main)


def test_that_nobody_listens_is_told_to_the_receiver(go):
    async def main():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            nobody = probe.getsockname()
        async with await open_udp(remote=nobody) as client:
            await client.send(b"hello?")
            with pytest.raises(ConnectionRefusedError):
                await client.recv()

    go(main)


def test_sockets_of_ones_own_are_taken_over(go):
    async def main():
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        other.setblocking(False)
        async with await open_udp(sock=one) as endpoint:
            other.send(b"hello")
            assert (await endpoint.recv())[0] == b"hello"
        other.close()

    go(main)
