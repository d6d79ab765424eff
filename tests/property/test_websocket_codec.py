"""The client's codec against its peer libraries, and against arbitrary bytes."""

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from eyewall._engine import ProtocolError, WebSocketCodec

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def opened(codec, behind=b"", extra=b""):
    """Complete the handshake, with bytes behind the answer."""
    request = codec.request("/", "a", {})
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    answer = codec.handshake(
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extra + b"\r\n" + behind
    )
    assert answer[0] == 101
    return codec


messages = st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=10)


@given(messages=messages)
def test_another_library_reads_what_we_write(messages):
    codec, peer = opened(WebSocketCodec()), Connection(ConnectionType.SERVER)
    for message in messages:
        peer.receive_data(codec.message(message))
    peer.receive_data(codec.close(1000, "bye"))
    received = list(peer.events())
    assert isinstance(received.pop(), CloseConnection)
    # It gives long messages in pieces.
    joined, piece = [], None
    for event in received:
        piece = event.data if piece is None else piece + event.data
        if event.message_finished:
            joined.append(bytes(piece) if isinstance(event, BytesMessage) else piece)
            piece = None
    assert joined == messages


@given(messages=messages, cut=st.integers(1, 50))
def test_we_read_what_another_library_writes(messages, cut):
    codec, peer = opened(WebSocketCodec()), Connection(ConnectionType.SERVER)
    wire = b""
    for message in messages:
        kind = TextMessage if isinstance(message, str) else BytesMessage
        wire += peer.send(kind(message)) + peer.send(Ping(b"?"))
    wire += peer.send(CloseConnection(4000, "bye"))
    events = []
    for at in range(0, len(wire), cut):
        events += codec.receive(wire[at : at + cut])
    expected = [pair for message in messages for pair in (("message", message), ("ping", b"?"))]
    assert events == [*expected, ("close", (4000, "bye"))]


@given(data=st.binary(max_size=400), compressed=st.booleans())
def test_no_bytes_of_a_server_break_the_codec(data, compressed):
    extra = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if compressed else b""
    compression = {"context_takeover": True} if compressed else None
    codec = WebSocketCodec(compression=compression, max_message_bytes=1000)
    events = opened(codec, behind=data, extra=extra).receive(b"")
    kinds = [kind for kind, _ in events]
    assert set(kinds) <= {"message", "ping", "pong", "close", "error"}
    assert kinds.count("close") + kinds.count("error") <= 1
    assert all(len(value) <= 1000 for kind, value in events if kind == "message")


@given(data=st.binary(max_size=400))
def test_no_answer_of_a_server_breaks_the_handshake(data):
    codec = WebSocketCodec()
    codec.request("/", "a", {})
    answer = None
    with contextlib.suppress(ProtocolError):
        answer = codec.handshake(data)
    assert answer is None


def test_the_order_of_calls_is_kept():
    codec = WebSocketCodec()
    with pytest.raises(RuntimeError, match="handshake is not complete"):
        codec.message("x")
    with pytest.raises(RuntimeError, match="handshake is not complete"):
        codec.receive(b"")
