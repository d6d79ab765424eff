"""Programs that use `requests` wait for many answers at once, on one thread."""

import asyncio
import contextlib
import importlib.util
import threading

import pytest
import requests
from tests.support import ROOT

from eyewall import Application, RequestHandler
from eyewall.http.client import Session
from eyewall.http.server import HTTPServer
from eyewall.testing import TestClient

MANY = 100


@contextlib.asynccontextmanager
async def listening(app):
    server = HTTPServer(app)
    [sock] = server.listen(0, "127.0.0.1", backlog=2 * MANY)
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.close()
    sock.close()


def serving(*routes, **settings):
    return listening(Application(list(routes), **settings))


@pytest.fixture
def program(monkeypatch):
    # The programs set up every session of the process.
    monkeypatch.setattr(requests.sessions, "HTTPAdapter", requests.sessions.HTTPAdapter)

    def program(name, **environment):
        for setting, value in environment.items():
            monkeypatch.setenv(setting, value)
        path = ROOT / "examples" / "blocking_style" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"example_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return program


class PriceService(RequestHandler):
    async def get(self, article):
        # Nobody gets an answer before all wait for theirs.
        await self.settings["all"].wait()
        if article == "nothing":
            self.send_error(404)
        else:
            self.write({"price": 10})


class RateService(RequestHandler):
    def get(self):
        self.write({"rate": {"CHF": 0.93}[self.get_argument("currency")]})


class SeenService(RequestHandler):
    def post(self):
        self.settings["seen"].append((self.request.body, threading.get_ident()))


def test_a_hundred_pages_wait_for_their_services_at_once(program):
    seen = []

    async def main():
        services = [
            (r"/price/(\w+)", PriceService),
            (r"/rate", RateService),
            (r"/seen", SeenService),
        ]
        async with serving(*services, all=asyncio.Barrier(MANY), seen=seen) as url:
            app = program("mashup", SERVICES=url).app
            async with listening(app) as base, Session(base, max_clients=MANY) as session:
                asked = [session.get("/bread/CHF") for _ in range(MANY - 1)]
                *pages, missing = await asyncio.gather(*asked, session.get("/nothing/CHF"))
        assert {(page.code, page.text) for page in pages} == {(200, '{"price":9.3,"noted":true}')}
        assert missing.code == 404

    asyncio.run(main())
    assert len(seen) == MANY - 1


class LoginService(RequestHandler):
    def post(self):
        known = "Basic a2VlcGVyOnNlY3JldA=="
        if self.request.headers.get("Authorization") != known:
            self.send_error(403)
        self.set_cookie("token", "t")


class FileService(RequestHandler):
    def prepare(self):
        if self.get_cookie("token") != "t":
            self.send_error(401)

    def post(self):
        [file] = self.request.files["file"]
        self.settings["files"][file.filename] = file.body
        self.write({"size": len(file.body)})

    async def get(self, name):
        content = self.settings["files"].get(name)
        if content is None:
            self.send_error(404)
            return
        for start in range(0, len(content), 50_000):
            self.write(content[start : start + 50_000])
            await self.flush()


def test_files_go_through_a_session_that_is_logged_in(program):
    content = bytes(range(256)) * 2000

    async def main():
        services = [
            (r"/login", LoginService),
            (r"/files", FileService),
            (r"/files/(.*)", FileService),
        ]
        async with serving(*services, files={}) as url:
            app = program("archive", ARCHIVE_URL=url).app
            async with TestClient(app) as client:
                names = [f"{number}.bin" for number in range(20)]
                kept = await asyncio.gather(*(client.put(f"/{n}", data=content) for n in names))
                assert {answer.json()["size"] for answer in kept} == {len(content)}
                read = await asyncio.gather(*(client.get(f"/{n}") for n in names))
                assert {answer.body for answer in read} == {content}
                assert (await client.get("/missing")).status == 404

    asyncio.run(main())
