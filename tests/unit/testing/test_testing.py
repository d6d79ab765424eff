"""The test client, against a small application."""

import asyncio

import pytest

from eyewall.http.client import HTTPClientError
from eyewall.testing import TestClient
from eyewall.web import Application, RequestHandler


class Home(RequestHandler):
    def get(self):
        self.set_cookie("seen", "yes")
        self.write({"seen": self.get_cookie("seen"), "q": self.get_query_argument("q", None)})

    def post(self):
        self.redirect("/?q=" + self.get_body_argument("name"))

    def delete(self):
        self.clear_cookie("seen")


class Files(RequestHandler):
    def post(self):
        [file] = self.request.files["photo"]
        self.write(
            {
                "name": file.filename,
                "type": file.content_type,
                "body": file.body.decode(),
                "title": self.get_body_argument("title", None),
            }
        )


class Echo(RequestHandler):
    def put(self):
        self.set_header("Content-Type", self.request.headers["Content-Type"])
        self.write(self.request.body)


class Stream(RequestHandler):
    async def get(self):
        for number in range(3):
            self.write(f"{number};")
            await self.flush()
        if self.get_argument("wait", None):
            await asyncio.get_running_loop().create_future()


class Broken(RequestHandler):
    def get(self):
        raise ZeroDivisionError("broken")


class Around(RequestHandler):
    def get(self):
        self.redirect("/around")


def make_app():
    return Application(
        [
            (r"/", Home),
            (r"/files", Files),
            (r"/echo", Echo),
            (r"/stream", Stream),
            (r"/broken", Broken),
            (r"/around", Around),
        ],
        access_log=False,
    )


def with_client(main, **options):
    async def whole():
        async with TestClient(make_app(), **options) as client:
            await main(client)

    asyncio.run(asyncio.wait_for(whole(), 30))


def test_the_client_keeps_cookies_sends_forms_and_returns_redirects():
    async def main(client):
        assert (await client.get("/")).json() == {"seen": None, "q": None}
        assert (await client.get("/")).json() == {"seen": "yes", "q": None}
        moved = await client.post("/", data={"name": "ann"})
        assert (moved.status, moved.headers["Location"]) == (302, "/?q=ann")
        await client.delete("/")
        assert client.cookies == {}

    with_client(main)


def test_redirects_are_followed_where_it_is_asked_for():
    async def main(client):
        response = await client.post("/", data={"name": "ann"})
        assert response.json()["q"] == "ann"
        assert [step.status for step in response.history] == [302]
        assert (await client.post("/", data={"name": "a"}, follow_redirects=False)).status == 302
        with pytest.raises(RuntimeError, match="redirected"):
            await client.get("/around")

    with_client(main, follow_redirects=True)


def test_files_are_sent_with_a_form():
    async def main(client):
        sent = {"photo": ("ü b.txt", "content", "text/plain")}
        response = await client.post("/files", data={"title": "ü"}, files=sent)
        assert response.json() == {
            "name": "ü b.txt",
            "type": "text/plain",
            "body": "content",
            "title": "ü",
        }
        response = await client.post("/files", files={"photo": b"bytes"})
        assert response.json()["name"] == "photo"

    with_client(main)


def test_queries_and_json_are_encoded():
    async def main(client):
        assert (await client.get("/", params={"q": "a&b"})).json()["q"] == "a&b"
        response = await client.put("/echo", json={"a": [1]})
        assert response.json() == {"a": [1]}
        assert response.headers["Content-Type"] == "application/json"
        with pytest.raises(ValueError, match="not both"):
            await client.put("/echo", json=1, data="x")

    with_client(main)


def test_a_stream_is_read_while_it_comes():
    async def main(client):
        async with client.stream("GET", "/stream") as response:
            assert response.status == 200
            assert await response.read() == b"0;1;2;"
        async with client.stream("GET", "/stream?wait=1") as response:
            assert (await response.piece()).startswith(b"0;")
        assert (await client.get("/")).status == 200

    with_client(main)


def test_what_a_handler_raised_is_raised_or_a_500(caplog):
    async def answered(client):
        assert (await client.get("/broken")).status == 500

    async def raised(client):
        with pytest.raises(ZeroDivisionError, match="broken"):
            await client.get("/broken")

    with_client(answered)
    with_client(raised, raise_server_exceptions=True)


def test_it_serves_over_tls():
    async def main(client):
        assert client.base_url.startswith("https://")
        assert (await client.get("/")).status == 200

    with_client(main, https=True)


def test_it_asks_a_server_that_is_there_already():
    async def main(client):
        async with TestClient(base_url=client.base_url) as other:
            assert (await other.get("/")).status == 200

    with_client(main)
    with pytest.raises(ValueError, match="base_url"):
        TestClient()


def test_a_request_that_gets_no_answer_is_an_error():
    async def main(client):
        with pytest.raises(HTTPClientError):
            await client.get("/stream?wait=1", timeout_s=0.05)
        with pytest.raises(HTTPClientError):
            async with TestClient(base_url="http://127.0.0.1:1") as nobody:
                async with nobody.stream("GET", "/"):
                    raise AssertionError("nobody listens there")

    with_client(main)
