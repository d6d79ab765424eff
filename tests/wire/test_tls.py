"""TLS: certificates by name, client certificates, reload, and clients that speak clear text."""

import asyncio
import ssl

import pytest
import trustme

from eyewall._engine import TLSConfig
from tests.conftest import Live, hello

GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


def pair(certificate):
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return chain, certificate.private_key_pem.bytes()


def client_context(ca, *, alpn=(), certificate=None):
    context = ssl.create_default_context()
    ca.configure_trust(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if certificate is not None:
        certificate.configure_cert(context)
    return context


async def ask(live, context, name):
    peer = await live.connect(ssl=context, server_hostname=name)
    peer.send(GET)
    answer = await peer.read_all()
    tls = peer.writer.get_extra_info("ssl_object")
    certificate = tls.getpeercert()
    await peer.close()
    return answer, certificate


def test_the_certificate_is_chosen_by_the_name_asked_for(run, ca):
    async def main():
        names = ["one.example", "two.example", "*.wild.example"]
        config = TLSConfig([pair(ca.issue_cert(name)) for name in names])
        seen = []

        def app(exchange):
            seen.append((exchange.scheme, exchange.tls))
            hello(exchange)

        live = Live(app, tls=config)
        for asked, expected in [
            ("one.example", "one.example"),
            ("TWO.example", "two.example"),
            ("a.wild.example", "*.wild.example"),
        ]:
            answer, certificate = await ask(live, client_context(ca), asked)
            assert answer.endswith(b"hello")
            assert certificate["subjectAltName"] == (("DNS", expected),)
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(live, client_context(ca), "b.a.wild.example")
        scheme, tls = seen[0]
        assert scheme == "https"
        assert tls["version"] == "TLSv1.3"
        assert tls["server_name"] == "one.example"
        assert tls["client_certificate"] is None
        live.close()

    run(main)


def test_certificates_are_replaced_without_a_restart(run, ca):
    async def main():
        live = Live(hello, tls=TLSConfig([pair(ca.issue_cert("old.example"))]))
        assert (await ask(live, client_context(ca), "old.example"))[0].endswith(b"hello")
        live.server.set_tls(TLSConfig([pair(ca.issue_cert("new.example"))]))
        assert (await ask(live, client_context(ca), "new.example"))[0].endswith(b"hello")
        live.close()

    run(main)


def test_client_certificates_are_required_or_optional(run, ca):
    async def main():
        client = ca.issue_cert("client@example")
        server, authority = pair(ca.issue_cert("h.example")), ca.cert_pem.bytes()
        seen = []

        def app(exchange):
            seen.append(exchange.tls["client_certificate"])
            hello(exchange)

        live = Live(app, tls=TLSConfig([server], client_ca=authority))
        answer, _ = await ask(live, client_context(ca, certificate=client), "h.example")
        assert answer.endswith(b"hello")
        assert seen[0].startswith(b"\x30\x82")
        try:
            answer, _ = await ask(live, client_context(ca), "h.example")
        except (ssl.SSLError, ConnectionError):
            answer = b""
        assert answer == b""
        assert any(notice[0] == "tls" for notice in live.notices)
        live.close()
        live = Live(app, tls=TLSConfig([server], client_ca=authority, client_auth="optional"))
        assert (await ask(live, client_context(ca), "h.example"))[0].endswith(b"hello")
        assert seen[-1] is None
        live.close()

    run(main)


def test_clear_text_on_a_tls_port_gets_an_answer_that_can_be_read(run, ca):
    async def main():
        live = Live(hello, tls=TLSConfig([pair(ca.issue_cert("h.example"))]))
        answer = await live.ask(GET)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert "clear-text request on a TLS port" in live.notices[0][2]
        assert isinstance(await live.ask(b"\x00garbage" * 20), bytes)
        live.close()

    run(main)


def test_large_bodies_go_both_ways_over_tls(run, ca):
    async def main():
        def app(exchange):
            body = exchange.read_all(lambda body: exchange.respond(200, {}, body))
            if body is not None:
                exchange.respond(200, {}, body)

        live = Live(app, tls=TLSConfig([pair(ca.issue_cert("h.example"))]))
        peer = await live.connect(ssl=client_context(ca), server_hostname="h.example")
        body = bytes(range(256)) * 20000
        peer.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert (await peer.answer())[2] == body
        await peer.close()
        live.close()

    run(main)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ca, good: [(b"", good[1])], "no certificate"),
        (lambda ca, good: [(good[0], b"")], "private key"),
        (lambda ca, good: [(good[0], pair(ca.issue_cert("x.example"))[1])], "does not belong"),
        (lambda ca, good: [], "needs a certificate"),
    ],
)
def test_unusable_certificates_are_named(ca, make, message):
    with pytest.raises(ValueError, match=message):
        TLSConfig(make(ca, pair(ca.issue_cert("h.example"))))


def test_a_handshake_that_hangs_is_timed_out(run, ca):
    async def main():
        tls = TLSConfig([pair(ca.issue_cert("h.example"))])
        live = Live(hello, tls=tls, limits={"header_timeout_s": 0.1})
        assert await live.ask(b"\x16\x03\x01") == b""
        live.close()

    run(main)


def test_a_client_that_closes_in_the_handshake_is_forgotten(run, ca):
    async def main():
        live = Live(hello, tls=TLSConfig([pair(ca.issue_cert("h.example"))]))
        await live.ask(b"\x16\x03\x01\x00", eof=True)
        while live.server.stats()["connections"]:
            await asyncio.sleep(0)
        live.close()

    run(main)
