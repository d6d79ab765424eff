"""The test client and the test case, against a small application."""

import asyncio

from eyewall.testing import AsyncHTTPTestCase, TestClient
from eyewall.web import Application, RequestHandler


class Home(RequestHandler):
    def get(self):
        self.set_cookie("seen", "yes")
        self.write({"seen": self.get_cookie("seen")})

    def post(self):
        self.redirect("/?name=" + self.get_body_argument("name"))


def make_app():
    return Application([(r"/", Home)])


def test_the_client_keeps_cookies_sends_forms_and_returns_redirects():
    async def main():
        async with TestClient(make_app()) as client:
            assert (await client.get("/")).json() == {"seen": None}
            assert (await client.get("/")).json() == {"seen": "yes"}
            moved = await client.post("/", data={"name": "ann"})
            assert (moved.status, moved.headers["Location"]) == (302, "/?name=ann")

    asyncio.run(main())


class TestCase(AsyncHTTPTestCase):
    def get_app(self):
        return make_app()

    def test_fetch_returns_statuses_without_raising(self):
        assert self.fetch("/").code == 200
        assert self.fetch("/missing").code == 404
