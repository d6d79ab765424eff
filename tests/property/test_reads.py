"""Reads give the same however their bytes arrive, and a TLS session what went into the other."""

import re
import ssl

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from eyewall.net.errors import UnsatisfiableReadError
from eyewall.net.reads import ReadBytes, ReadInto, ReadUntil, ReadUntilRegex
from eyewall.net.tls_session import TLSSession

# Few different bytes, so that delimiters begin often and end seldom.
texts = st.binary(max_size=60).map(lambda data: bytes(b"ab\r\n"[byte % 4] for byte in data))
cuts = st.lists(st.integers(1, 7), max_size=60)


def pieces(data, sizes):
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


def take(read, data, sizes):
    """The result when `data` arrives in pieces, and what is left or came later."""
    buffer = bytearray()
    arrivals = pieces(data, sizes)
    for piece in arrivals:
        buffer += piece
        result = read.take(buffer)
        if result is not None:
            return result, bytes(buffer) + b"".join(arrivals)
    return None, bytes(buffer)


@given(texts, cuts, st.sampled_from([b"\r\n", b"\r\n\r\n", b"a", b"aab", b"abab"]))
def test_a_delimiter_is_found_however_it_arrives(data, sizes, delimiter):
    found, rest = take(ReadUntil(delimiter), data, sizes)
    end = data.find(delimiter)
    if end < 0:
        assert (found, rest) == (None, data)
    else:
        assert found == data[: end + len(delimiter)]
        assert found + rest == data


@given(texts, cuts, st.integers(0, 40))
def test_a_limit_holds_however_the_bytes_arrive(data, sizes, limit):
    end = data.find(b"\r\n")
    fits = 0 <= end <= limit - 2
    for read in (ReadUntil(b"\r\n", limit), ReadUntilRegex(b"\r\n", limit)):
        if fits:
            assert take(read, data, sizes)[0] == data[: end + 2]
        elif len(data) > limit:
            with pytest.raises(UnsatisfiableReadError, match=f"within {limit} bytes"):
                take(read, data, sizes)
        else:
            assert take(read, data, sizes)[0] is None


@given(texts, cuts)
def test_a_pattern_of_one_possible_end_is_found_however_it_arrives(data, sizes):
    found, rest = take(ReadUntilRegex(rb"\r\n|b"), data, sizes)
    match = re.search(rb"\r\n|b", data)
    assert found == (None if match is None else data[: match.end()])
    assert (found or b"") + rest == data


@given(texts, cuts, st.integers(0, 70), st.booleans())
def test_numbers_of_bytes_are_kept(data, sizes, size, partial):
    found, rest = take(ReadBytes(size, partial=partial), data, sizes)
    target = bytearray(size)
    count, left = take(ReadInto(target, partial=partial), data, sizes)
    if found is None:
        assert count is None
        assert len(data) < size
        assert left == b""
    else:
        assert found == target[:count]
        assert found + rest == found + left == data
        assert count == size or partial


def contexts():
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


SERVER, CLIENT = contexts()


def session(*, server_side):
    return TLSSession(
        SERVER if server_side else CLIENT,
        server_side=server_side,
        server_hostname=None if server_side else "localhost",
    )


def pass_on(sender, receiver, sizes, buffer):
    """Carry bytes in pieces; whether the receiver goes on."""
    goes_on = True
    for piece in pieces(sender.outgoing(), sizes):
        receiver.receive(piece)
        if receiver.established or receiver.shake_hands():
            goes_on = receiver.decrypt_into(buffer)
    return goes_on


@given(st.lists(st.binary(max_size=40_000), max_size=4), st.lists(st.integers(1, 900), max_size=9))
def test_an_encrypted_conversation_arrives_whole_and_ends(messages, sizes):
    server, client = session(server_side=True), session(server_side=False)
    heard = {server: bytearray(), client: bytearray()}
    assert not client.shake_hands()
    while not (server.established and client.established):
        pass_on(client, server, sizes, heard[server])
        pass_on(server, client, sizes, heard[client])
    for message in messages:
        client.encrypt(message)
        server.encrypt(message[::-1])
        pass_on(client, server, sizes, heard[server])
        pass_on(server, client, sizes, heard[client])
    assert heard[server] == b"".join(messages)
    assert heard[client] == b"".join(message[::-1] for message in messages)
    client.end()
    assert not pass_on(client, server, sizes, heard[server])


@given(st.binary(min_size=1, max_size=500))
def test_garbage_ends_a_session_or_waits_for_more(data):
    server = session(server_side=True)
    server.receive(data)
    try:
        assert not server.shake_hands()
    except ssl.SSLError:
        assert not server.established
