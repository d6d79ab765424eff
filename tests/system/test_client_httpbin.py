"""The client against httpbin, where HTTPBIN_URL names one.

It wants libraries in versions that the others here do not want, so it runs from an environment
of its own: `pip install httpbin gunicorn; gunicorn -k gthread --threads 4 httpbin:app`.
"""

import os

import pytest

from eyewall.http.client import HTTPRedirectError, HTTPTimeoutError, Session
from tests.unit.http.client.servers import run

BASE = os.environ.get("HTTPBIN_URL", "")

pytestmark = pytest.mark.skipif(not BASE, reason="HTTPBIN_URL names no server")


def asking(ask):
    """Run a coroutine with a session."""

    async def main():
        async with Session(BASE) as session:
            await ask(session)
            assert session.stats()["running"] == 0

    run(main())


def test_methods_and_contents():
    async def ask(session):
        assert (await session.get("/get", params={"a": "b"})).json()["args"] == {"a": "b"}
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            response = await session.request(method, f"/{method.lower()}", json={"x": 1})
            assert response.json()["json"] == {"x": 1}
        files = {"f": ("n.txt", b"data")}
        shown = (await session.post("/post", form={"a": "1"}, files=files)).json()
        assert (shown["form"], shown["files"]) == ({"a": "1"}, {"f": "data"})

        async def pieces():
            for _ in range(5):
                yield b"abc"

        assert (await session.post("/post", content=pieces())).json()["data"] == "abc" * 5
        assert (await session.head("/get")).body == b""

    asking(ask)


def test_statuses_and_redirects():
    async def ask(session):
        for code in (200, 204, 301, 304, 404, 418, 500, 503):
            assert (await session.get(f"/status/{code}", max_redirects=0)).code == code
        for way in ("redirect", "absolute-redirect", "relative-redirect"):
            assert (await session.get(f"/{way}/4")).effective_url.endswith("/get")
        with pytest.raises(HTTPRedirectError):
            await session.get("/redirect/12")
        response = await session.get("/etag/x", headers={"If-None-Match": '"x"'})
        assert response.code == 304

    asking(ask)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "brotli"])
def test_codings(coding):
    async def ask(session):
        assert "headers" in (await session.get(f"/{coding}")).json()

    asking(ask)


def test_cookies_and_logins():
    async def ask(session):
        shown = (await session.get("/cookies/set?a=b")).json()
        assert shown["cookies"] == {"a": "b"}
        who = {"auth_username": "u", "auth_password": "p"}
        assert (await session.get("/basic-auth/u/p", **who)).code == 200
        for algorithm in ("MD5", "SHA-256"):
            way = f"/digest-auth/auth/u/p/{algorithm}"
            assert (await session.get(way, auth_mode="digest", **who)).code == 200

    asking(ask)


def test_streams_and_time_outs():
    async def ask(session):
        async with session.stream("GET", "/stream/20") as response:
            assert len([value async for value in response.json_lines()]) == 20
        async with session.stream("GET", "/stream-bytes/100000?chunk_size=777") as response:
            assert len(await response.read()) == 100_000
        async with session.stream("GET", "/xml") as response:
            assert len([element async for element in response.xml("slide")]) == 2
        part = await session.get("/range/1024", headers={"Range": "bytes=0-9"})
        assert (part.code, len(part.body)) == (206, 10)
        with pytest.raises(HTTPTimeoutError):
            await session.get("/delay/3", request_timeout=0.2)

    asking(ask)
