"""The modern form: sessions, streams and their readers, cookies, retries, uploads."""

import asyncio
import io
from pathlib import Path

import msgspec
import pytest

from eyewall.http.client import (
    Cookies,
    HTTPClientError,
    HTTPConnectError,
    HTTPProtocolError,
    HTTPRedirectError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTooLargeError,
    Retry,
    ServerEvent,
    Session,
)
from eyewall.http.client.assemble import absolute
from eyewall.http.encoding import encode
from eyewall.web import RequestHandler
from tests.unit.http.client.servers import answering, run, serving


class User(msgspec.Struct):
    name: str


class Show(RequestHandler):
    """Shows the request."""

    def any(self):
        request = self.request
        self.write(
            {
                "method": request.method,
                "uri": request.uri,
                "headers": dict(request.headers),
                "body": request.body.decode("latin-1"),
                "arguments": {k: v[0].decode() for k, v in request.body_arguments.items()},
                "files": {
                    name: [[f.filename, f.content_type, len(f.body)] for f in files]
                    for name, files in request.files.items()
                },
            }
        )

    get = post = put = patch = delete = any


class Login(RequestHandler):
    def get(self):
        self.set_cookie("seen", "yes")
        self.redirect(self.get_argument("to", "/show"))


class Pieces(RequestHandler):
    async def get(self):
        for _ in range(50):
            self.write(b"x" * 100_000)
            await self.flush()


ROUTES = (("/show", Show), ("/v1/show", Show), ("/login", Login))


def test_urls_headers_and_contents_are_put_together():
    async def main():
        async with serving(*ROUTES) as (base, _):
            async with Session(base + "/v1", headers={"X-All": "1"}) as session:
                shown = (await session.get("show", params={"a": [1, 2], "b": "x y"})).json()
                assert shown["uri"] == "/v1/show?a=1&a=2&b=x+y"
                assert shown["headers"]["X-All"] == "1"
                shown = (await session.post("/show", json={"a": 1})).json()
                assert (shown["body"], shown["method"]) == ('{"a":1}', "POST")
                assert shown["headers"]["Content-Type"] == "application/json"
                shown = (await session.put("show", form={"a": "ä"})).json()
                assert shown["arguments"] == {"a": "ä"}
                shown = (await session.patch("show", content="text")).json()
                assert shown["headers"]["Content-Type"] == "text/plain; charset=utf-8"
                assert (await session.delete("show")).json()["method"] == "DELETE"

                async def pieces():
                    yield b"one "
                    yield b"two"

                shown = (await session.post("show", content=pieces())).json()
                assert shown["body"] == "one two"
                for wrong in ({"json": 1, "form": {}}, {"content": b"", "files": {}}):
                    with pytest.raises(ValueError, match="one content"):
                        await session.post("show", **wrong)

    run(main())


@pytest.mark.parametrize(
    ("base", "url", "result"),
    [
        ("http://a/v1/", "/x", "http://a/v1/x"),
        ("http://a", "", "http://a"),
        ("http://a", "http://b/x", "http://b/x"),
        ("", "http://b/x?y#z", "http://b/x?y&q=1#z"),
    ],
)
def test_a_url_is_under_the_base_unless_it_is_absolute(base, url, result):
    assert absolute(base, url, {"q": 1} if "q=" in result else None) == result


def test_answers_are_checked_against_types():
    async def main():
        async with answering(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"name": "Ann"}') as url:
            async with Session() as session:
                assert (await session.get(url)).json(User) == User("Ann")
                with pytest.raises(ValueError, match="Expected `array`"):
                    (await session.get(url)).json(list[User])
                async with session.stream("GET", url) as response:
                    assert await response.json(User) == User("Ann")

    run(main())


def test_cookies_are_kept_and_sent_where_they_belong():
    async def main():
        async with serving(*ROUTES) as (base, _), serving(*ROUTES) as (other, _):
            async with Session(base) as session:
                shown = (await session.get("/login", headers={"Cookie": "own=1"})).json()
                assert shown["headers"]["Cookie"] == "own=1; seen=yes"
                assert session.cookies.get("seen") == "yes"
                elsewhere = other.replace("localhost", "127.0.0.1") + "/show"
                shown = (await session.get("/login", params={"to": elsewhere})).json()
                assert "Cookie" not in shown["headers"]
            async with Session(base, cookies=False) as session:
                assert "Cookie" not in (await session.get("/login")).json()["headers"]

    run(main())


def test_a_jar_can_be_filled_by_hand():
    jar = Cookies()
    jar.set("a", "b", "a.example", secure=True)
    assert jar.field("https://a.example/") == "a=b"
    assert jar.field("http://a.example/") is None
    assert jar.field("https://b.example/") is None
    assert len(jar) == 1


def test_credentials_of_a_session_stay_at_its_base():
    async def main():
        async with serving(*ROUTES) as (base, _), serving(*ROUTES) as (other, _):
            options = {"headers": {"Cookie": "k"}, "auth": ("u", "p")}
            async with Session(base, **options) as session:
                assert (await session.get("/show")).json()["headers"]["Authorization"]
                for way in (other + "/show", f"/login?to={other}/show"):
                    headers = (await session.get(way, headers={"X": "y"})).json()["headers"]
                    assert "Authorization" not in headers
                    assert headers.get("Cookie", "").find("k") == -1

    run(main())


def test_names_and_passwords_come_from_a_netrc_file(tmp_path):
    (tmp_path / "netrc").write_text("machine localhost login me password secret\n")

    async def main():
        async with serving(*ROUTES) as (base, _):
            async with Session(base, netrc_file=tmp_path / "netrc") as session:
                headers = (await session.get("/show")).json()["headers"]
                assert headers["Authorization"] == "Basic bWU6c2VjcmV0"
        (tmp_path / "netrc").write_text("nonsense here\n")
        with pytest.raises(ValueError, match="netrc"):
            Session(netrc_file=tmp_path / "netrc")

    run(main())


def test_files_are_sent_from_the_disk(tmp_path):
    path = tmp_path / 'a"b.txt'
    path.write_bytes(b"x" * 3_000_000)

    async def main():
        async with serving(*ROUTES) as (base, _), Session(base) as session:
            with path.open("rb") as file:
                shown = (
                    await session.post(
                        "/show",
                        form={"field": "value"},
                        files={
                            "one": path,
                            "two": ("two.bin", b"12345"),
                            "three": ("3.png", io.BytesIO(b"123"), "image/png"),
                            "four": file,
                        },
                    )
                ).json()
        assert shown["arguments"] == {"field": "value"}
        assert shown["files"] == {
            "one": [["a%22b.txt", "text/plain", 3_000_000]],
            "two": [["two.bin", "application/octet-stream", 5]],
            "three": [["3.png", "image/png", 3]],
            "four": [["a%22b.txt", "text/plain", 3_000_000]],
        }
        assert int(shown["headers"]["Content-Length"]) > 6_000_000

    run(main())


def test_a_missing_file_is_an_error_before_anything_is_sent():
    async def main():
        async with Session() as session:
            with pytest.raises(FileNotFoundError):
                await session.post("http://localhost:1/", files={"a": Path("/nowhere")})

    run(main())


def test_what_may_be_repeated_is_tried_again():
    async def main():
        statuses = []

        async def behave(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            status = statuses.pop(0)
            if status == 0:
                return
            head = f"HTTP/1.1 {status} X\r\nRetry-After: 0\r\nContent-Length: 0\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode())

        async with answering(behave) as url:
            async with Session(url, retry=Retry(attempts=3, pause_s=0.001)) as session:
                statuses[:] = [503, 0, 200]
                assert (await session.get("/")).code == 200
                statuses[:] = [503, 503, 503]
                assert (await session.get("/")).code == 503
                statuses[:] = [0, 0, 0]
                with pytest.raises(HTTPStreamClosedError):
                    await session.get("/")
                statuses[:] = [503]
                assert (await session.post("/", content=b"")).code == 503
                statuses[:] = [429, 204]
                async with session.stream("GET", "/") as response:
                    assert response.code == 204
                assert statuses == []

    run(main())


def test_pauses_grow_and_follow_what_the_server_asks_for():
    retry = Retry(attempts=4, pause_s=1, max_pause_s=3)
    refused = HTTPConnectError("no")
    assert 0 <= retry.after_error("POST", refused, 1) <= 1
    assert all(retry.after_error("POST", refused, 3) <= 3 for _ in range(20))
    assert retry.after_error("POST", refused, 4) is None
    assert retry.after_error("POST", HTTPStreamClosedError("cut"), 1) is None
    assert retry.after_error("GET", HTTPProtocolError("no HTTP"), 1) is None
    assert retry.after_error("GET", HTTPTimeoutError("late"), 1) is not None
    assert retry.after_status("GET", 503, "2", 1) == 2
    assert retry.after_status("GET", 503, "3600", 1) is None
    assert retry.after_status("GET", 503, "Wed, 21 Oct 2015 07:28:00 GMT", 1) == 0
    assert retry.after_status("GET", 503, "soon", 1) <= 1
    assert retry.after_status("GET", 404, None, 1) is None


def test_redirects_end_and_can_be_left_alone():
    async def main():
        circle = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        async with answering(circle) as url, Session(url, max_redirects=3) as session:
            with pytest.raises(HTTPRedirectError):
                await session.get("/")
            with pytest.raises(HTTPRedirectError):
                async with session.stream("GET", "/"):
                    pytest.fail("there is nothing to read")
            assert (await session.get("/", max_redirects=0)).code == 302

    run(main())


def test_a_stream_gives_pieces_as_they_come_and_its_connection_back():
    async def main():
        async with serving(("/", Pieces)) as (base, server), Session(base) as session:
            for _ in range(3):
                async with session.stream("GET", "/") as response:
                    assert sum([len(piece) async for piece in response]) == 5_000_000
                    with pytest.raises(RuntimeError, match="only once"):
                        await response.read()
            assert server.stats()["connections"] == 1
            async with session.stream("GET", "/") as response:
                async for _ in response:
                    break
            async with session.stream("GET", "/") as response:
                with pytest.raises(HTTPTooLargeError):
                    await response.read(max_bytes=1000)
            assert len((await session.get("/")).body) == 5_000_000

    run(main())


def test_lines_values_events_and_elements_are_read_as_they_come():
    feeds = {
        "/lines": [b"one\r", b"\ntwo\nth", b"ree"],
        "/values": [b'{"name": "A', b'nn"}\n\n{"name": "Bob"}\n'],
        "/events": [
            b"\xef\xbb\xbf: hello\nid: 1\ndata: a\n",
            b"data: b\r\n\r\nevent: x\ndata:c\nretry: 500\n\n",
            b"event: none\n\ndata: cut",
        ],
        "/xml": [
            b"<?xml version='1.0'?><stream xmlns:a='u'><item n='1'>one</it",
            b"em><a:item>two<b/></a:item><item>three",
            b"</item></stream>",
        ],
    }

    async def main():
        async def behave(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for piece in feeds[head.split(b" ")[1].decode()]:
                writer.write(piece)
                await writer.drain()

        async with answering(behave) as url, Session(url) as session:
            async with session.stream("GET", "/lines") as response:
                assert [line async for line in response.lines()] == [b"one", b"two", b"three"]
            async with session.stream("GET", "/values") as response:
                assert [value async for value in response.json_lines(User)] == [
                    User("Ann"),
                    User("Bob"),
                ]
            async with session.stream("GET", "/events") as response:
                assert [event async for event in response.events()] == [
                    ServerEvent("a\nb", id="1"),
                    ServerEvent("c", "x", "1", 500),
                ]
            async with session.stream("GET", "/xml") as response:
                elements = [element async for element in response.xml()]
                assert [element.tag for element in elements] == ["item", "{u}item", "item"]
                assert elements[0].attrib == {"n": "1"}
            async with session.stream("GET", "/xml") as response:
                found = [element.text async for element in response.xml("item")]
                assert found == ["one", "three"]

    run(main())


def test_a_silent_stream_times_out():
    async def main():
        async def behave(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nsome")
            await reader.read()

        async with answering(behave) as url, Session(url) as session:
            async with session.stream("GET", "/", idle_timeout_s=0.05) as response:
                with pytest.raises(HTTPTimeoutError, match="sent nothing"):
                    await response.read()
            with pytest.raises(HTTPTimeoutError):
                await session.get("/", request_timeout=0.05)

    run(main())


def test_a_stream_reads_what_it_is_told_while_it_tells():
    """Both directions are open at once."""

    async def main():
        async def echo(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                size = int(await reader.readline(), 16)
                writer.write(await reader.readexactly(size))
                await reader.readexactly(2)
                if size == 0:
                    return

        said: asyncio.Queue[bytes] = asyncio.Queue()

        async def speak():
            while (word := await said.get()) != b"":
                yield word

        async with answering(echo) as url, Session(url) as session:
            async with session.stream("POST", "/", content=speak()) as response:
                said.put_nowait(b"one")
                answers = aiter(response)
                assert await anext(answers) == b"one"
                said.put_nowait(b"two")
                assert await anext(answers) == b"two"
                said.put_nowait(b"")
                with pytest.raises(StopAsyncIteration):
                    await anext(answers)

    run(main())


def test_proxies_come_from_the_environment(monkeypatch):
    async def main():
        asked = []

        async def proxy(reader, writer):
            asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        async with answering(proxy) as url:
            monkeypatch.setenv("http_proxy", url)
            monkeypatch.setenv("no_proxy", ".inner.example,10.0.0.0/8,localhost:1")
            async with Session() as session:
                assert (await session.get("http://a.example/x")).code == 204
                for straight in ("http://x.inner.example/", "http://localhost:1/"):
                    with pytest.raises(HTTPConnectError):
                        await session.get(straight)
            async with Session(trust_env=False, proxy=url) as session:
                await session.get("http://b.example/")
        assert asked == [b"GET http://a.example/x HTTP/1.1", b"GET http://b.example/ HTTP/1.1"]

    run(main())


def test_a_status_that_is_no_success_is_raised_on_demand():
    async def main():
        async with serving(*ROUTES) as (base, _), Session(base) as session:
            response = await session.get("/none")
            with pytest.raises(HTTPClientError):
                response.rethrow()
            async with session.stream("GET", "/none") as streamed:
                with pytest.raises(HTTPClientError) as caught:
                    streamed.raise_for_status()
            assert caught.value.code == response.code == 404

    run(main())


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
def test_a_bomb_in_a_stream_comes_out_in_small_pieces(coding):
    packed = b"\0" * 60_000_000
    for name in coding.split(", "):
        packed = encode(name, packed)

    async def main():
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n"
        async with answering(head.encode() + packed) as url, Session(url) as session:
            async with session.stream("GET", "/") as response:
                sizes = [len(piece) async for piece in response]
        assert sum(sizes) == 60_000_000
        assert max(sizes) <= 20_000_000

    run(main())


def test_a_session_may_be_made_before_there_is_a_loop():
    session = Session()

    async def main():
        async with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as url:
            assert (await session.get(url)).code == 204
            session.close()

    run(main())
