"""The mash-up, before services that are quick, slow and broken."""

import asyncio
import importlib.util
from pathlib import Path

import pytest

from eyewall import Application, RequestHandler
from eyewall.testing import TestClient


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("mashup_app", Path(__file__).parent / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Quick(RequestHandler):
    def get(self):
        self.write({"quick": True})


class Slow(RequestHandler):
    async def get(self):
        await asyncio.Event().wait()


class Broken(RequestHandler):
    def get(self):
        self.send_error(500)


class Feed(RequestHandler):
    broken = False

    def get(self):
        if Feed.broken:
            self.send_error(500)
            return
        self.write('{"name": "tea", "euros": 3}\n{"name": "milk", "euros": 1.5}\n')


SERVICES = [(r"/news", Quick), (r"/weather", Slow), (r"/prices", Broken), (r"/feed", Feed)]


def test_the_page_has_what_is_there_in_time(program):
    async def main():
        async with TestClient(Application(SERVICES)) as services:
            await services.get("/news")
            async with TestClient(program.make_app(services.base_url)) as client:
                page = (await client.get("/")).json()
        assert page == {"sources": {"news": {"quick": True}}, "missing": ["prices", "weather"]}

    asyncio.run(main())


def test_a_feed_is_passed_on_until_its_service_fails_too_often(program):
    async def main():
        async with TestClient(Application(SERVICES)) as services:
            await services.get("/news")
            app = program.make_app(services.base_url)
            async with TestClient(app, raise_server_exceptions=False) as client:
                assert (await client.get("/prices")).text == "tea 3.00\nmilk 1.50\n"
                Feed.broken = True
                statuses = [(await client.get("/prices")).status for _ in range(4)]
                assert statuses == [500, 500, 500, 503]
            app.settings["session"].close()

    asyncio.run(main())
