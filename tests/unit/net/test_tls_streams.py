"""Streams over TLS: names, certificates, garbage, and going over to TLS."""

import asyncio
import socket
import ssl

import pytest

from eyewall.net.accept import add_accept_handler
from eyewall.net.errors import StreamClosedError
from eyewall.net.sockets import bind_sockets
from eyewall.net.stream import IOStream, SSLIOStream
from eyewall.net.tls import ssl_options_to_context, ssl_wrap_socket


def plain_pair():
    one, other = socket.socketpair()
    return IOStream(one), IOStream(other)


def test_both_sides_can_go_over_to_tls(go, server_context, client_context):
    async def main():
        server, client = plain_pair()
        client.write(b"STARTTLS\n")
        assert await server.read_until(b"\n") == b"STARTTLS\n"
        upgrade = server.start_tls(True, server_context)
        with pytest.raises(StreamClosedError):
            server.write(b"in clear")
        client = await client.start_tls(False, client_context, "localhost")
        server = await upgrade
        assert isinstance(client, SSLIOStream)
        client.write(b"secret\n")
        assert await server.read_until(b"\n") == b"secret\n"
        assert client.socket.version() == "TLSv1.3"
        assert client.socket.cipher()[0]
        assert ("DNS", "localhost") in client.socket.getpeercert()["subjectAltName"]
        client.close()
        assert await server.read_until_close() == b""

    go(main)


def test_what_was_sent_too_early_is_no_part_of_the_encrypted_conversation(go, server_context):
    async def main():
        server, client = plain_pair()
        client.write(b"STARTTLS\nMAIL FROM:<injected>\n")
        await server.read_until(b"\n")
        with pytest.raises(ssl.SSLError):
            await server.start_tls(True, server_context)
        client.close()

    go(main)


def test_a_hello_that_came_with_the_request_begins_the_handshake(
    go, server_context, client_context
):
    async def main():
        server, client = plain_pair()
        client.write(b"STARTTLS\n")
        upgrade = client.start_tls(False, client_context, "localhost")
        # The hello has arrived and is in the stream's buffer before the line is looked at.
        await server.read_until(b"STARTTLS\n")
        server, client = await asyncio.gather(server.start_tls(True, server_context), upgrade)
        server.write(b"x")
        assert await client.read_bytes(1) == b"x"
        server.close()
        client.close()

    go(main)


def test_start_tls_needs_an_idle_stream(go, server_context):
    async def main():
        server, client = plain_pair()
        with pytest.raises(ValueError, match="certificate"):
            server.start_tls(True)
        with pytest.raises(ValueError, match="server_hostname"):
            client.start_tls(False)
        reading = server.read_bytes(1)
        with pytest.raises(ValueError, match="idle"):
            server.start_tls(True, server_context)
        client.write(b"x")
        await reading
        server.close()
        with pytest.raises(StreamClosedError):
            server.start_tls(True, server_context)
        client.close()

    go(main)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" * 9000])
def test_garbage_instead_of_a_handshake_is_one_log_line(go, server_context, caplog, garbage):
    async def main():
        one, other = socket.socketpair()
        server = SSLIOStream(one, ssl_options=server_context, server_side=True)
        client = IOStream(other)
        client.write(garbage)
        with pytest.raises(ssl.SSLError):
            await server.wait_for_handshake()
        with pytest.raises(StreamClosedError) as caught:
            await server.read_bytes(1)
        assert isinstance(caught.value.real_error, ssl.SSLError)
        client.close()

    go(main)
    assert len(caplog.records) == 1
    assert caplog.records[0].message.startswith("SSL Error on ")
    assert caplog.records[0].exc_info is None


def test_a_wrong_name_ends_the_handshake_on_both_sides(go, server_context, client_context):
    async def main():
        one, other = socket.socketpair()
        server = SSLIOStream(one, ssl_options=server_context, server_side=True)
        client = SSLIOStream(other, ssl_options=client_context, server_hostname="example.org")
        reading = server.read_bytes(1)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await client.wait_for_handshake()
        with pytest.raises(StreamClosedError, match="(?i)bad.certificate"):
            await reading

    go(main)


def test_the_name_is_asked_for_at_once(client_context):
    one, other = socket.socketpair()
    with pytest.raises(ValueError, match="server_hostname"):
        SSLIOStream(one, ssl_options=client_context)
    one.close()
    other.close()


def test_a_peer_that_goes_in_the_handshake_closes_the_stream(go, server_context):
    async def main():
        one, other = socket.socketpair()
        server = SSLIOStream(one, ssl_options=server_context, server_side=True)
        handshake = server.wait_for_handshake()
        with pytest.raises(RuntimeError, match="waits for the handshake"):
            server.wait_for_handshake()
        other.close()
        with pytest.raises(StreamClosedError):
            await handshake

    go(main)


def test_a_peer_that_never_shakes_hands_is_given_up(go, server_context, monkeypatch):
    monkeypatch.setattr("eyewall.net.stream.HANDSHAKE_TIMEOUT", 0.01)

    async def main():
        one, other = socket.socketpair()
        server = SSLIOStream(one, ssl_options=server_context, server_side=True)
        with pytest.raises(StreamClosedError, match=r"no TLS handshake within 0\.01 s"):
            await server.read_bytes(1)
        other.close()

    go(main)


def test_garbage_after_the_handshake_ends_the_stream(go, server_context, client_context, caplog):
    async def main():
        (sock,) = bind_sockets(0, "127.0.0.1")
        accepted = asyncio.get_running_loop().create_future()
        remove = add_accept_handler(sock, lambda one, address: accepted.set_result(one))
        client = SSLIOStream(socket.socket(), ssl_options=client_context)
        connecting = client.connect(sock.getsockname(), server_hostname="localhost")
        server = SSLIOStream(await accepted, ssl_options=server_context, server_side=True)
        await connecting
        reading = server.read_until(b"\n")
        client.socket.send(b"in clear\n")
        with pytest.raises(StreamClosedError) as caught:
            await reading
        assert isinstance(caught.value.real_error, ssl.SSLError)
        client.close()
        remove()
        sock.close()

    go(main)
    assert len([record for record in caplog.records if record.levelno >= 30]) in {1, 2}


def test_cancelling_the_handshake_closes_the_socket(go, client_context):
    async def main():
        server, client = plain_pair()
        upgrade = client.start_tls(False, client_context, "localhost")
        await server.read_bytes(1)
        upgrade.cancel()
        # It ends only if the other side is closed.
        await server.read_until_close()

    go(main)


def test_writes_before_the_handshake_are_encrypted(go, server_context, client_context):
    async def main():
        one, other = socket.socketpair()
        client = SSLIOStream(one, ssl_options=client_context, server_hostname="localhost")
        writing = client.write(b"secret")
        other.setblocking(False)
        hello = await asyncio.get_running_loop().sock_recv(other, 10_000)
        assert hello[0] == 0x16
        assert b"secret" not in hello
        assert not writing.done()
        client.close()
        with pytest.raises(StreamClosedError):
            await writing
        other.close()

    go(main)


def test_wrapped_sockets_are_taken_before_their_handshake(go, server_context, client_context):
    async def main():
        one, other = socket.socketpair()
        wrapped = ssl_wrap_socket(
            one, server_context, server_side=True, do_handshake_on_connect=False
        )
        server = SSLIOStream(wrapped)
        client = SSLIOStream(other, ssl_options=client_context, server_hostname="localhost")
        server.write(b"hello")
        assert await client.read_bytes(5) == b"hello"
        assert await server.wait_for_handshake() is server
        server.close()
        client.close()

    go(main)


def test_dictionaries_make_contexts(authority, tmp_path):
    certificate = authority.issue_cert("localhost")
    certfile, keyfile, ca_certs = (str(tmp_path / name) for name in ("crt", "key", "ca"))
    certificate.cert_chain_pems[0].write_to_path(certfile)
    certificate.private_key_pem.write_to_path(keyfile)
    authority.cert_pem.write_to_path(ca_certs)
    client = ssl_options_to_context({"ca_certs": ca_certs})
    assert client.verify_mode == ssl.CERT_REQUIRED
    assert client.check_hostname
    careless = ssl_options_to_context({"cert_reqs": ssl.CERT_NONE})
    assert not careless.check_hostname
    server = ssl_options_to_context(
        {"certfile": certfile, "keyfile": keyfile, "ca_certs": ca_certs, "ciphers": "ECDHE"},
        server_side=True,
    )
    assert server.verify_mode == ssl.CERT_NONE
    assert ssl_options_to_context(server) is server
    with pytest.raises(ValueError, match="cretfile; known are .*certfile"):
        ssl_options_to_context({"cretfile": certfile})
    with pytest.raises(FileNotFoundError):
        ssl_options_to_context({"certfile": "/nowhere"}, server_side=True)
