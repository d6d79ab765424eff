"""Frames of RFC 6455 by hand, as a client that may do anything wrong."""

import asyncio
import struct

from tests.conftest import Peer

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = bytes([0x37, 0xFA, 0x21, 0x3D])
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def frame(first, payload=b"", *, mask=MASK):
    """A client's frame; without a mask, a frame as servers send it."""
    if isinstance(payload, str):
        payload = payload.encode()
    head = bytearray([first])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head.append(bit | len(payload))
    elif len(payload) < 1 << 16:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    if mask:
        head += mask
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes(head) + payload


def close(code=None, reason=""):
    """A client's close frame."""
    payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return frame(CLOSE, payload)


class Client:
    """A connection that is a WebSocket, frame by frame."""

    def __init__(self, peer: Peer, head: str):
        self.peer, self.head = peer, head

    @classmethod
    async def open(cls, live, *, headers=(), early=b""):
        """Connect, and send `early` behind the handshake in the same piece."""
        peer = await live.connect()
        lines = [
            b"GET / HTTP/1.1",
            b"Host: a",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: " + KEY,
            *headers,
        ]
        peer.send(b"\r\n".join(lines) + b"\r\n\r\n" + early)
        head = await asyncio.wait_for(peer.reader.readuntil(b"\r\n\r\n"), 15)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(peer, head.decode())

    def send(self, *frames):
        self.peer.send(b"".join(frames))

    async def frame(self):
        """The server's next frame: its first byte and its payload."""
        first, second = await asyncio.wait_for(self.peer.reader.readexactly(2), 15)
        assert second < 128, "a server's frame is not masked"
        length = second
        if length == 126:
            (length,) = struct.unpack("!H", await self.peer.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.peer.reader.readexactly(8))
        return first, await self.peer.reader.readexactly(length)

    async def closed(self):
        """The code of the server's close frame; None for one without a code."""
        while True:
            first, payload = await self.frame()
            if first == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else None

    async def end(self):
        """Wait for the server to close the connection."""
        assert await self.peer.read_all() == b""
        await self.peer.close()
