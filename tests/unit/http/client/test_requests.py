"""`requests` in a greenlet behaves as `requests`, and leaves the loop to others."""

import asyncio
import io
import socket
import threading

import pytest
import requests
import trustme
import urllib3
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from eyewall.aio.greenlets import blocking_await, run_in_greenlet
from eyewall.http.client import requests_adapter
from eyewall.http.client.requests_setup import setup_session
from eyewall.web import RequestHandler
from tests.unit.http.client.servers import answering, serving


@pytest.fixture
def ask(run):
    """Run plain code that takes a session which was set up, in a greenlet."""

    def ask(server, work):
        async def main():
            async with server as address:
                url = address[0] if isinstance(address, tuple) else address
                with requests.Session() as session:
                    setup_session(session)
                    return await run_in_greenlet(work, session, url)

        return run(main)

    return ask


class Echo(RequestHandler):
    def any(self):
        self.set_header("X-Method", self.request.method)
        self.write(
            {
                "method": self.request.method,
                "headers": dict(self.request.headers),
                "arguments": {name: self.get_arguments(name) for name in self.request.arguments},
                "body": self.request.body.decode("latin-1"),
                "files": {
                    name: [(file.filename, file.body.decode()) for file in files]
                    for name, files in self.request.files.items()
                },
            }
        )

    get = post = put = delete = patch = options = head = any


def echo():
    return serving((r"/.*", Echo))


def test_every_method_arrives(ask):
    def work(session, url):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert session.request(method, url).json()["method"] == method
        head = session.head(url)
        assert (head.status_code, head.headers["X-Method"], head.content) == (200, "HEAD", b"")

    ask(echo(), work)


def test_queries_forms_json_and_headers_arrive(ask):
    def work(session, url):
        assert session.get(url, params={"q": ["ä", "b"]}).json()["arguments"] == {"q": ["ä", "b"]}
        assert session.post(url, data={"a": "ü"}).json()["arguments"] == {"a": ["ü"]}
        assert session.post(url, json={"a": 1}).json()["body"] == '{"a": 1}'
        seen = session.get(url, headers={"X-Mine": "yes"}).json()["headers"]
        assert seen["X-Mine"] == "yes"
        assert seen["User-Agent"] == requests.utils.default_user_agent()

    ask(echo(), work)


def test_files_arrive_as_forms_and_as_bodies(ask, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"x" * 300_000)

    def work(session, url):
        files = {"one": ("one.txt", io.BytesIO(b"first")), "two": path.open("rb")}
        with files["two"]:
            seen = session.post(url, files=files, data={"k": "v"}).json()
        assert seen["files"] == {
            "one": [["one.txt", "first"]],
            "two": [["notes.txt", "x" * 300_000]],
        }
        assert seen["arguments"] == {"k": ["v"]}
        with path.open("rb") as file:
            seen = session.put(url, data=file).json()
        assert len(seen["body"]) == 300_000
        assert seen["headers"]["Content-Length"] == "300000"
        assert session.put(url, data=io.BytesIO(b"in memory")).json()["body"] == "in memory"

    ask(echo(), work)


def test_a_generator_that_waits_itself_is_sent_in_chunks(ask):
    def pieces():
        for piece in (b"one ", b"", b"two ", "drei"):
            blocking_await(asyncio.sleep(0))
            yield piece

    def work(session, url):
        seen = session.post(url, data=pieces()).json()
        assert seen["body"] == "one two drei"
        assert seen["headers"]["Transfer-Encoding"] == "chunked"

    ask(echo(), work)


def test_an_error_of_a_generator_is_its_own(ask):
    def pieces():
        yield b"one"
        raise LookupError("no more")

    def work(session, url):
        with pytest.raises(LookupError, match="no more"):
            session.post(url, data=pieces())

    ask(echo(), work)


class Cookies(RequestHandler):
    def get(self):
        self.set_cookie("a", "1")
        self.set_cookie("b", "2", path="/elsewhere")
        self.write({name: morsel.value for name, morsel in self.cookies.items()})


def test_cookies_are_kept_and_sent_where_they_belong(ask):
    def work(session, url):
        assert session.get(url).json() == {}
        assert session.get(url).json() == {"a": "1"}
        assert session.get(f"{url}/elsewhere/x").json() == {"a": "1", "b": "2"}
        assert session.get(url, cookies={"mine": "3"}).json() == {"a": "1", "mine": "3"}

    ask(serving((r".*", Cookies)), work)


class Hop(RequestHandler):
    def get(self, left):
        if int(left):
            self.set_cookie(f"hop{left}", "x")
            self.redirect(f"/hop/{int(left) - 1}")
        else:
            self.write({"cookies": sorted(self.cookies)})

    def post(self, left):
        self.redirect(f"/echo/{left}", status=int(left))


def test_redirects_are_followed_with_history_and_cookies(ask):
    def work(session, url):
        response = session.get(f"{url}/hop/3")
        assert response.json() == {"cookies": ["hop1", "hop2", "hop3"]}
        assert [step.status_code for step in response.history] == [302, 302, 302]
        assert response.url.endswith("/hop/0")
        plain = session.get(f"{url}/hop/2", allow_redirects=False)
        assert plain.status_code == 302
        assert plain.next.url == f"{url}/hop/1"
        with pytest.raises(requests.TooManyRedirects):
            session.max_redirects = 4
            session.get(f"{url}/hop/6")
        kept = session.post(f"{url}/hop/307", data=io.BytesIO(b"again")).json()
        assert (kept["method"], kept["body"]) == ("POST", "again")
        changed = session.post(f"{url}/hop/302", data=b"once").json()
        assert (changed["method"], changed["body"]) == ("GET", "")

    ask(serving((r"/hop/(\d+)", Hop), (r"/echo/.*", Echo)), work)


def test_credentials_are_sent_as_basic_from_url_and_session(ask):
    def work(session, url):
        seen = session.get(url, auth=("ann", "pass")).json()["headers"]["Authorization"]
        assert (
            seen
            == session.get(url, auth=HTTPBasicAuth("ann", "pass")).json()["headers"][
                "Authorization"
            ]
        )
        assert (
            seen == session.get(url.replace("//", "//ann:pass@")).json()["headers"]["Authorization"]
        )

    ask(echo(), work)


class Digest(RequestHandler):
    def get(self):
        given = self.request.headers.get("Authorization", "")
        if 'username="ann"' in given and 'uri="/x"' in given:
            self.write("welcome")
            return
        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')


def test_digest_authentication_asks_a_second_time(ask):
    def work(session, url):
        response = session.get(f"{url}/x", auth=HTTPDigestAuth("ann", "pass"))
        assert response.text == "welcome"
        assert [step.status_code for step in response.history] == [401]

    ask(serving((r"/x", Digest)), work)


class Compressed(RequestHandler):
    def get(self):
        self.write("blah " * 1000)


def test_compressed_content_is_undone_and_raw_content_is_not(ask):
    def work(session, url):
        assert session.get(url).text == "blah " * 1000
        response = session.get(url, stream=True)
        assert response.headers["Content-Encoding"] in {"gzip", "br", "zstd"}
        assert len(response.raw.read()) < 1000
        assert session.get(url, stream=True).raw.read(decode_content=True) == b"blah " * 1000

    async def server():
        from eyewall.http.server.server import HTTPServer
        from eyewall.web import Application

        return HTTPServer(Application([(r"/", Compressed)], compress_response=True))

    class Serving:
        async def __aenter__(self):
            self.server = await server()
            [self.socket] = self.server.listen(0, "127.0.0.1")
            return f"http://127.0.0.1:{self.socket.getsockname()[1]}/"

        async def __aexit__(self, *exc_info):
            self.server.close()
            self.socket.close()

    ask(Serving(), work)


def test_a_stream_gives_each_piece_as_it_comes(ask):
    go_on = {}

    class Ticks(RequestHandler):
        async def get(self):
            for number in range(3):
                self.write(f"tick {number}\n")
                await self.flush()
                go_on["event"] = asyncio.Event()
                await go_on["event"].wait()

    def work(session, url):
        with session.get(url, stream=True) as response:
            seen = []
            for line in response.iter_lines():
                seen.append(line)
                go_on["event"].set()
            assert seen == [b"tick 0", b"tick 1", b"tick 2"]

    ask(serving((r"/", Ticks)), work)


def test_a_stream_that_is_left_early_frees_its_connection(ask):
    gone = asyncio.Event()

    class Endless(RequestHandler):
        async def get(self):
            try:
                while True:
                    self.write(b"x" * 65536)
                    await self.flush()
            finally:
                gone.set()

    def work(session, url):
        response = session.get(url, stream=True)
        assert response.raw.read(10) == b"x" * 10
        assert len(next(response.iter_content(100))) == 100
        response.close()
        blocking_await(gone.wait())

    ask(serving((r"/", Endless)), work)


def test_a_large_download_is_read_in_pieces(ask):
    class Large(RequestHandler):
        def get(self):
            self.write(b"x" * 3_000_000)

    def work(session, url):
        sizes = [len(piece) for piece in session.get(url, stream=True).iter_content(1 << 16)]
        assert sum(sizes) == 3_000_000
        assert max(sizes) <= 1 << 16

    ask(serving((r"/", Large)), work)


def test_errors_of_status_are_raised_when_asked_for(ask):
    def work(session, url):
        response = session.get(f"{url}/nowhere")
        assert (response.status_code, response.reason, response.ok) == (404, "Not Found", False)
        with pytest.raises(requests.HTTPError, match="404 Client Error"):
            response.raise_for_status()

    ask(serving((r"/", Echo)), work)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:{port}/", requests.ConnectionError),
        ("http://name.invalid/", requests.ConnectionError),
        ("ftp://127.0.0.1/", requests.exceptions.InvalidSchema),
        ("nothing", requests.exceptions.MissingSchema),
        ("http://", requests.exceptions.InvalidURL),
        ("http://a b/", requests.exceptions.InvalidURL),
    ],
)
def test_what_leads_nowhere_raises_what_requests_raises(ask, url, expected):
    def work(session, _):
        with pytest.raises(expected) as caught:
            session.get(url.format(port=free_port()))
        assert type(caught.value) is expected

    ask(echo(), work)


async def silent(reader, writer):
    await reader.read()


async def stalling(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    await reader.read()


def test_a_server_that_is_silent_is_a_read_timeout(ask):
    def work(session, url):
        with pytest.raises(requests.ReadTimeout):
            session.get(url, timeout=(5, 0.05))

    ask(answering(silent), work)


def test_a_server_that_stalls_in_the_content_is_a_connection_error(ask):
    def work(session, url):
        with pytest.raises(requests.ConnectionError, match="timed out"):
            session.get(url, timeout=(5, 0.05))

    ask(answering(stalling), work)


def test_a_server_that_does_not_take_the_connection_is_a_connect_timeout(ask):
    def work(session, _):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as sock:
            # Connections that nobody accepts fill the queue, and the next one gets no answer.
            full = [socket.socket() for _ in range(3)]
            for one in full:
                one.setblocking(False)
                one.connect_ex(sock.getsockname())
            with pytest.raises(requests.ConnectTimeout):
                session.get(f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=(0.05, 5))
            for one in full:
                one.close()

    ask(echo(), work)


@pytest.mark.parametrize("timeout", [(1, 2, 3), "soon", -1])
def test_time_outs_that_are_none_are_refused(ask, timeout):
    def work(session, url):
        with pytest.raises(ValueError, match="(?i)timeout"):
            session.get(url, timeout=timeout)

    ask(echo(), work)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", requests.ConnectionError),
        (b"nonsense\r\n\r\n", requests.ConnectionError),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            requests.exceptions.ChunkedEncodingError,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            requests.exceptions.ChunkedEncodingError,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
            requests.exceptions.ContentDecodingError,
        ),
    ],
)
def test_broken_answers_raise_what_requests_raises(ask, answer, expected):
    def work(session, url):
        with pytest.raises(expected) as caught:
            session.get(url)
        assert type(caught.value) is expected

    ask(answering(answer), work)


def test_certificates_are_verified_as_requests_does(ask, tmp_path):
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    issued = authority.issue_cert("localhost")
    chain = tmp_path / "chain.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(chain))

    def work(session, url):
        with pytest.raises(requests.exceptions.SSLError, match="certificate"):
            session.get(url)
        assert session.get(url, verify=False).ok
        assert session.get(url, verify=str(bundle)).ok
        with pytest.raises(OSError, match="no file of certificates"):
            session.get(url, verify="/nowhere.pem")
        with pytest.raises(OSError, match="no file of certificates"):
            session.get(url, verify=str(bundle), cert="/nowhere.pem")

    ask(serving((r"/", Echo), ssl_options={"certfile": str(chain)}), work)


def test_attempts_are_repeated_as_often_as_the_adapter_says(ask):
    seen = []

    class Flaky(RequestHandler):
        def get(self):
            seen.append(1)
            self.set_status(503 if len(seen) < 3 else 200)

    retries = urllib3.Retry(total=2, status_forcelist=[503], backoff_factor=0.001)

    def work(session, url):
        session.mount(url, requests_adapter.LoopAdapter(max_retries=retries))
        assert session.get(url).status_code == 200
        assert len(seen) == 3
        seen[:] = [-10] * -10
        session.mount(url, requests_adapter.LoopAdapter(max_retries=retries.new(total=0)))
        with pytest.raises(requests.exceptions.RetryError):
            session.get(url)
        with pytest.raises(requests.ConnectionError):
            session.get(f"http://127.0.0.1:{free_port()}")

    ask(serving((r"/", Flaky)), work)


def test_a_proxy_is_used_and_its_refusal_is_a_proxy_error(ask):
    asked = []

    async def proxy(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b"\r\n")[0])
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")

    def work(session, url):
        proxies = {"http": url, "https": url}
        assert session.get("http://host.example/path", proxies=proxies).text == "proxy"
        with pytest.raises(requests.exceptions.ProxyError, match="403"):
            session.get("https://host.example/", proxies=proxies)
        with pytest.raises(requests.exceptions.InvalidProxyURL):
            session.get("http://host.example/", proxies={"http": "gopher://127.0.0.1:1"})

    ask(answering(proxy), work)
    assert asked == [b"GET http://host.example/path HTTP/1.1", b"CONNECT host.example:443 HTTP/1.1"]


def test_a_hundred_requests_wait_at_once_on_one_thread(run):
    class Backend(RequestHandler):
        async def get(self):
            # Nobody is answered before a hundred wait.
            await self.settings["all"].wait()
            self.write("done")

    async def main():
        from eyewall.http.server.server import HTTPServer
        from eyewall.web import Application

        server = HTTPServer(Application([(r"/", Backend)], all=asyncio.Barrier(100)))
        [listening] = server.listen(0, "127.0.0.1", backlog=200)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        threads = set()

        def work():
            with requests.Session() as session:
                setup_session(session)
                threads.add(threading.get_ident())
                return session.get(url).text

        texts = await asyncio.gather(*(run_in_greenlet(work) for _ in range(100)))
        assert texts == ["done"] * 100
        assert threads == {threading.get_ident()}
        server.close()
        listening.close()

    run(main)


def test_cancelling_the_task_ends_the_request(run):
    async def main():
        arrived = asyncio.Event()
        gone = asyncio.Event()

        async def serve(reader, writer):
            arrived.set()
            await reader.read()
            gone.set()

        async with answering(serve) as url:

            def work():
                with requests.Session() as session:
                    setup_session(session)
                    session.get(url)

            task = asyncio.create_task(run_in_greenlet(work))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gone.wait()

    run(main)


def test_all_sessions_are_set_up_and_outside_of_greenlets_nothing_changes(run, monkeypatch):
    monkeypatch.setattr(requests.sessions, "HTTPAdapter", requests.sessions.HTTPAdapter)
    setup_session()

    async def main():
        async with echo() as (url, _):
            assert (await run_in_greenlet(requests.get, url)).json()["method"] == "GET"
            response = await asyncio.to_thread(requests.get, url)
            assert response.json()["method"] == "GET"
            assert type(response.raw) is urllib3.HTTPResponse

    run(main)


def test_reading_a_stream_outside_of_its_greenlet_says_why_it_cannot(run):
    async def main():
        async with echo() as (url, _):
            with requests.Session() as session:
                setup_session(session)
                response = await run_in_greenlet(lambda: session.get(url, stream=True))
                with pytest.raises(RuntimeError, match="run_in_greenlet"):
                    response.json()
                response.close()

    run(main)
