"""The client over TLS: whom it trusts, what it shows, HTTP/1.1 and HTTP/2 by ALPN."""

import asyncio
import datetime
import ssl

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from eyewall.http.client import (
    HTTPCertificateError,
    HTTPConnectError,
    HTTPTimeoutError,
    HTTPTLSError,
)
from eyewall.web import RequestHandler
from tests.unit.http.client.servers import answering, making, run, serving

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture
def trusted(ca, tmp_path):
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def context_of(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def options_of(certificate, folder):
    """A server's `ssl_options` for a certificate."""
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "chain.pem", append=number > 0)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    return {"certfile": str(folder / "chain.pem"), "keyfile": str(folder / "key.pem")}


class Version(RequestHandler):
    def get(self):
        self.write(self.request.version)

    def post(self):
        self.write(str(len(self.request.body)))


def test_certificates_that_are_not_to_be_trusted_are_told_apart(ca, trusted):
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    cases = [
        (ca.issue_cert("localhost", not_after=past), "has expired"),
        (ca.issue_cert("other.example"), "is for another name"),
        (trustme.CA().issue_cert("localhost"), "signed by no authority"),
    ]

    async def main():
        async with making() as client:
            for certificate, text in cases:
                async with answering(NO_CONTENT, ssl=context_of(certificate)) as url:
                    with pytest.raises(HTTPCertificateError, match=text) as caught:
                        await client.fetch(url, ca_certs=trusted)
                    assert isinstance(caught.value, ssl.SSLError)
                    assert (await client.fetch(url, validate_cert=False)).code == 204
            assert len(client.pool) <= len(cases)

    run(main())


def test_certificates_on_a_revocation_list_are_refused(ca, trusted, tmp_path):
    authority = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    certificates = [ca.issue_cert("localhost") for _ in range(2)]
    revoked = x509.load_pem_x509_certificate(certificates[0].cert_chain_pems[0].bytes())
    now = datetime.datetime.now(datetime.UTC)
    entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number)
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now - datetime.timedelta(days=1))
        .next_update(now + datetime.timedelta(days=1))
        .add_revoked_certificate(entry.revocation_date(now).build())
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "crl.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))

    async def main():
        async with making(crl_file=str(tmp_path / "crl.pem")) as client:
            async with answering(NO_CONTENT, ssl=context_of(certificates[0])) as url:
                with pytest.raises(HTTPCertificateError, match="is revoked"):
                    await client.fetch(url, ca_certs=trusted)
            async with answering(NO_CONTENT, ssl=context_of(certificates[1])) as url:
                assert (await client.fetch(url, ca_certs=trusted)).code == 204

    run(main())


def test_a_servers_own_certificate_may_be_the_trusted_one(ca, tmp_path):
    certificate = ca.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")

    async def main():
        async with making() as client:
            async with answering(NO_CONTENT, ssl=context_of(certificate)) as url:
                assert (await client.fetch(url, ca_certs=str(tmp_path / "own.pem"))).code == 204

    run(main())


def test_a_client_shows_its_certificate(ca, trusted, tmp_path):
    context = context_of(ca.issue_cert("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    options_of(ca.issue_cert("me"), tmp_path)
    shown = {"client_cert": str(tmp_path / "chain.pem"), "client_key": str(tmp_path / "key.pem")}

    async def main():
        async with making() as client, answering(NO_CONTENT, ssl=context) as url:
            assert (await client.fetch(url, ca_certs=trusted, **shown)).code == 204
            with pytest.raises(Exception, match="handshake|closed|broke|certificate"):
                await client.fetch(url, ca_certs=trusted)

    run(main())


def test_clear_text_and_silence_in_place_of_tls_are_errors(trusted):
    async def main():
        async def silent(reader, writer):
            await reader.read()

        async def clear(reader, writer):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read()

        async with making() as client:
            async with answering(clear) as url:
                with pytest.raises(HTTPTLSError, match="does not speak TLS"):
                    await client.fetch(url.replace("http:", "https:"), ca_certs=trusted)
            async with answering(silent) as url:
                with pytest.raises(HTTPTimeoutError, match="during TLS handshake with localhost:"):
                    await client.fetch(
                        url.replace("http:", "https:"), ca_certs=trusted, connect_timeout=0.05
                    )
            assert len(client.pool) == 0

    run(main())


def test_a_context_of_pythons_own_works_too(ca, trusted):
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000

    async def main():
        async with making() as client:
            async with answering(big, ssl=context_of(ca.issue_cert("localhost"))) as url:
                context = ssl.create_default_context(cafile=trusted)
                assert len((await client.fetch(url, ssl_options=context)).body) == 3_000_000
                given = {"cert_reqs": ssl.CERT_NONE}
                assert len((await client.fetch(url, ssl_options=given)).body) == 3_000_000
                with pytest.raises(HTTPCertificateError):
                    await client.fetch(url, ssl_options=ssl.create_default_context())
                with pytest.raises(ValueError, match="unknown keys: whatever"):
                    await client.fetch(url, ssl_options={"whatever": 1})

    run(main())


def test_http2_requests_share_one_connection(ca, trusted, tmp_path):
    async def main():
        options = {"ssl_options": options_of(ca.issue_cert("localhost"), tmp_path)}
        async with serving(("/", Version), **options) as (url, server):
            async with making(max_clients=100) as client:
                fetches = [client.fetch(url, ca_certs=trusted) for _ in range(50)]
                responses = await asyncio.gather(*fetches)
                assert {response.body for response in responses} == {b"HTTP/2.0"}
                assert {response.http_version for response in responses} == {"HTTP/2.0"}
                assert server.stats()["connections"] == len(client.pool) == 1
                body = b"x" * 3_000_000
                posted = await client.fetch(url, method="POST", body=body, ca_certs=trusted)
                assert posted.body == b"3000000"
            async with making(http2=False) as client:
                response = await client.fetch(url, ca_certs=trusted)
                assert (response.body, response.http_version) == (b"HTTP/1.1", "HTTP/1.1")

    run(main())


def test_an_http2_request_that_is_cancelled_leaves_the_others_alone(ca, trusted, tmp_path):
    class Waits(RequestHandler):
        async def get(self):
            started.release()
            await go.wait()
            self.write("done")

    started, go = asyncio.Semaphore(0), asyncio.Event()

    async def main():
        options = {"ssl_options": options_of(ca.issue_cert("localhost"), tmp_path)}
        async with serving(("/", Waits), **options) as (url, server), making() as client:
            fetches = [client.fetch(url, ca_certs=trusted, request_timeout=20) for _ in range(3)]
            for _ in fetches:
                await started.acquire()
            late = client.fetch(url, ca_certs=trusted, request_timeout=0.05)
            fetches[0].cancel()
            with pytest.raises(HTTPTimeoutError):
                await late
            go.set()
            assert [(await fetch).body for fetch in fetches[1:]] == [b"done"] * 2
            assert server.stats()["connections"] == 1

    run(main())


def test_missing_files_and_hosts_are_errors_of_the_fetch(trusted):
    async def main():
        async with making() as client:
            with pytest.raises(OSError, match="nowhere"):
                await client.fetch("https://localhost:1/", ca_certs="/nowhere.pem")
            with pytest.raises(HTTPConnectError):
                await client.fetch("https://localhost:1/", ca_certs=trusted)

    run(main())
