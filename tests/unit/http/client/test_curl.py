"""The client on libcurl behaves as the one on the engine; each test runs with both."""

import asyncio
import contextlib
import gzip
import hashlib
import re
import ssl

import pytest
import trustme

from eyewall.http.client import (
    AsyncHTTPClient,
    HTTPCertificateError,
    HTTPClientError,
    HTTPConnectError,
    HTTPNameError,
    HTTPRedirectError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTooLargeError,
    SimpleAsyncHTTPClient,
)
from eyewall.http.client.curl import CurlAsyncHTTPClient
from eyewall.web import RequestHandler
from tests.unit.http.client.servers import answering, run, serving

pytest.importorskip("pycurl")


@pytest.fixture(params=[SimpleAsyncHTTPClient, CurlAsyncHTTPClient], ids=["engine", "libcurl"])
def making(request):
    @contextlib.asynccontextmanager
    async def make(**options):
        client = request.param(force_instance=True, **options)
        try:
            yield client
        finally:
            client.close()

    return make


class Echo(RequestHandler):
    def any(self):
        headers = self.request.headers
        self.set_header("X-Method", self.request.method)
        for name in ("Authorization", "Cookie", "User-Agent", "X-Mine", "Content-Type"):
            self.set_header(f"X-{name}", headers.get(name, "-"))
        if self.request.method != "HEAD":
            self.write(self.request.body or b"nothing")

    get = head = post = put = patch = delete = options = any


class Moved(RequestHandler):
    def get(self):
        self.redirect(self.get_argument("to"))

    post = get


class Countdown(RequestHandler):
    def get(self, number):
        if int(number):
            self.redirect(f"/down/{int(number) - 1}")
        else:
            self.write("zero")


ROUTES = (("/echo", Echo), ("/moved", Moved), (r"/down/(\d+)", Countdown))


def test_methods_contents_and_fields_arrive(making):
    async def main():
        async with serving(*ROUTES) as (base, _), making() as client:
            url = base + "/echo"
            for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
                response = await client.fetch(url, method=method)
                assert response.headers["X-Method"] == method
            for method in ("POST", "PUT", "PATCH"):
                for body in (b"", b"content", b"x" * 3_000_000):
                    response = await client.fetch(url, method=method, body=body)
                    assert response.headers["X-Method"] == method
                    assert response.body == (body or b"nothing")
            response = await client.fetch(
                url, headers={"X-Mine": "1", "X-Empty": ""}, user_agent="me",
                auth_username="Aladdin", auth_password="open sesame",
            )  # fmt: skip
            assert response.headers["X-Authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
            assert response.headers["X-User-Agent"] == "me"
            assert response.headers["X-X-Mine"] == "1"
            assert response.time_info
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(base + "/none")
            assert caught.value.code == 404
            assert (await client.fetch(base + "/none", raise_error=False)).code == 404

    run(main())


def test_redirects_are_followed_counted_and_stripped_of_secrets(making):
    async def main():
        async with serving(*ROUTES) as (base, _), serving(*ROUTES) as (other, _):
            async with making() as client:
                response = await client.fetch(base + "/down/3")
                assert (response.body, response.effective_url) == (b"zero", base + "/down/0")
                with pytest.raises(HTTPRedirectError) as caught:
                    await client.fetch(base + "/down/5", max_redirects=3)
                assert caught.value.code == 302
                assert caught.value.response.headers["Location"] == "/down/1"
                there = f"{base}/moved?to={other}/echo"
                secrets = {"headers": {"Cookie": "k", "X-Mine": "1"}, "auth_username": "u"}
                response = await client.fetch(there, **secrets)
                assert response.headers["X-Authorization"] == response.headers["X-Cookie"] == "-"
                assert response.headers["X-X-Mine"] == "1"
                response = await client.fetch(there, method="POST", body=b"x")
                assert response.headers["X-Method"] == "GET"
                with pytest.raises(ValueError, match="neither http nor https"):
                    await client.fetch(base + "/moved?to=ftp://a/")

    run(main())


def test_failures_have_their_types(making):
    async def main():
        async def silent(reader, writer):
            await reader.read()

        async with making(max_body_size=1000) as client:
            with pytest.raises(HTTPNameError):
                await client.fetch("http://host.invalid/")
            with pytest.raises(HTTPConnectError):
                await client.fetch("http://127.0.0.1:1/")
            async with answering(silent) as url:
                with pytest.raises(HTTPTimeoutError):
                    await client.fetch(url, request_timeout=0.1)
            async with answering(b"") as url:
                with pytest.raises(HTTPStreamClosedError):
                    await client.fetch(url)
            async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab") as url:
                with pytest.raises(HTTPStreamClosedError):
                    await client.fetch(url)
            large = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(
                b"0" * 9999
            )
            for extra in ({}, {"streaming_callback": lambda _: None}):
                async with answering(large) as url:
                    with pytest.raises(HTTPTooLargeError):
                        await client.fetch(url, **extra)
            for bad in ({"headers": {"X": "a\r\nb"}}, {"user_agent": "a\nb"}):
                with pytest.raises(ValueError, match="header"):
                    await client.fetch("http://127.0.0.1:1/", **bad)

    run(main())


def test_certificates_are_verified(making, tmp_path):
    async def main():
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)
        async with making() as client:
            async with answering(b"HTTP/1.1 204 No Content\r\n\r\n", ssl=context) as url:
                trusted = await client.fetch(url, ca_certs=str(tmp_path / "ca.pem"))
                assert trusted.code == 204
                assert (await client.fetch(url, validate_cert=False)).code == 204
                with pytest.raises(HTTPCertificateError):
                    await client.fetch(url)

    run(main())


def test_callbacks_get_the_head_and_the_pieces_and_may_take_their_time(making):
    async def main():
        lines, pieces = [], []

        async def slow(piece):
            await asyncio.sleep(0)
            pieces.append(piece)

        head = b"HTTP/1.1 200 Fine\r\nX-A: b\r\n\r\n"
        body = bytes(range(256)) * 4000
        async with making() as client, answering(head + body) as url:
            response = await client.fetch(
                url, header_callback=lines.append, streaming_callback=slow
            )
            assert b"".join(pieces) == body
            assert lines == ["HTTP/1.1 200 Fine\r\n", "X-A: b\r\n", "\r\n"]
            assert (response.body, response.reason) == (b"", "Fine")

    run(main())


def test_a_callback_that_raises_fails_the_fetch(making, caplog):
    def broken(_):
        raise LookupError("broken")

    async def main():
        async with making() as client, answering(b"HTTP/1.1 200 OK\r\n\r\nx") as url:
            for options in ({"header_callback": broken}, {"streaming_callback": broken}):
                with pytest.raises(HTTPStreamClosedError, match="a callback raised LookupError"):
                    await client.fetch(url, **options)

    run(main())
    assert "Uncaught exception in a callback" in caplog.text


def test_places_are_limited_and_the_queue_has_a_time_out(making):
    async def main():
        release = asyncio.Event()
        now = most = 0

        async def behave(reader, writer):
            nonlocal now, most
            await reader.readuntil(b"\r\n\r\n")
            now += 1
            most = max(most, now)
            await release.wait()
            now -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        async with making(max_clients=2) as client, answering(behave) as url:
            fetches = [client.fetch(url) for _ in range(6)]
            with pytest.raises(HTTPTimeoutError, match="in request queue"):
                await client.fetch(url, connect_timeout=0.02)
            fetches[5].cancel()
            fetches[0].cancel()
            release.set()
            results = await asyncio.gather(*fetches, return_exceptions=True)
            assert [getattr(result, "code", None) for result in results] == [
                None, 200, 200, 200, 200, None,
            ]  # fmt: skip
            assert most <= 3

    run(main())


def test_digest_authentication(making):
    class Guarded(RequestHandler):
        def get(self):
            def h(*parts):
                return hashlib.md5(":".join(parts).encode()).hexdigest()

            value = self.request.headers.get("Authorization", "")
            given = dict(re.findall(r'(\w+)="?([^",]+)"?', value))
            if value.startswith("Digest "):
                secret, asked = h("ü", "ré", "pユ"), h("GET", "/")
                if given["response"] == h(secret, "n", given["nc"], given["cnonce"], "auth", asked):
                    self.write("in")
                    return
            self.set_status(401)
            realm = "ré".encode().decode("latin-1")
            self.set_header("WWW-Authenticate", f'Digest realm="{realm}", nonce="n", qop="auth"')

    async def main():
        async with serving(("/", Guarded)) as (base, _), making() as client:
            who = {"auth_username": "ü", "auth_mode": "digest"}
            assert (await client.fetch(base + "/", **who, auth_password="pユ")).body == b"in"
            with pytest.raises(HTTPClientError) as caught:
                await client.fetch(base + "/", **who, auth_password="wrong")
            assert caught.value.code == 401

    run(main())


def test_closing_fails_what_is_under_way(making):
    async def main():
        async def silent(reader, writer):
            asked.set()
            await reader.read()

        asked = asyncio.Event()
        async with answering(silent) as url, making() as client:
            fetch = client.fetch(url)
            await asked.wait()
            client.close()
            with pytest.raises(HTTPStreamClosedError):
                await fetch

    run(main())


def test_the_handle_can_be_prepared_by_the_caller():
    async def main():
        async with serving(*ROUTES) as (base, _):
            client = CurlAsyncHTTPClient(force_instance=True)
            prepare = lambda curl: curl.setopt(client.pycurl.USERAGENT, "mine")  # noqa: E731
            response = await client.fetch(
                base + "/echo", prepare_curl_callback=prepare, headers={"User-Agent": ""}
            )
            assert response.code == 200
            with pytest.raises(ValueError, match="no body_producer"):
                client.fetch(base, method="POST", body_producer=print)
            with pytest.raises(ValueError, match="no ssl_options"):
                await client.fetch(base, ssl_options={})
            client.close()

    saved = AsyncHTTPClient._save_configuration()
    try:
        AsyncHTTPClient.configure(CurlAsyncHTTPClient, max_clients=3)
        run(main())
    finally:
        AsyncHTTPClient._restore_configuration(saved)
