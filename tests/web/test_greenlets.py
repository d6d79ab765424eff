"""Handlers in blocking style."""

import asyncio

import pytest
import requests

from eyewall.http.server.server import HTTPServer
from eyewall.web import Application, HTTPError, RequestHandler
from eyewall.web.greenlets import blocking_await, greenlet_handler, setup_session, tornalet
from tests.web.test_handlers import ask


async def soon(result):
    await asyncio.sleep(0)
    return result


class Page(RequestHandler):
    @greenlet_handler
    def get(self, name):
        self.write(blocking_await(soon(f"Hello, {name}")))

    @tornalet
    def post(self, name):
        if blocking_await(soon(name)) == "nobody":
            raise HTTPError(404, "nobody")
        self.redirect(f"/{name}")


app = Application([(r"/(\w+)", Page)])


def test_a_verb_waits_without_await(run):
    assert ask(run, app, "/Ann")[2] == b"Hello, Ann"


def test_its_errors_and_redirects_are_those_of_any_verb(run):
    assert ask(run, app, "/nobody", method="POST")[0] == 404
    status, headers, _ = ask(run, app, "/ann", method="POST")
    assert (status, headers["location"]) == (302, "/ann")


def test_a_coroutine_function_is_refused():
    with pytest.raises(TypeError, match="get is async and can await"):

        class Wrong(RequestHandler):
            @greenlet_handler
            async def get(self):
                pass


def test_a_hundred_handlers_that_use_requests_wait_at_once(run, monkeypatch):
    monkeypatch.setattr(requests.sessions, "HTTPAdapter", requests.sessions.HTTPAdapter)
    setup_session()
    waiting = asyncio.Barrier(100)

    class Backend(RequestHandler):
        async def get(self):
            await waiting.wait()
            self.write({"answer": 42})

    class Frontend(RequestHandler):
        @greenlet_handler
        def get(self):
            self.write(requests.get(self.settings["backend"], timeout=30).json())

    async def main():
        server = HTTPServer(application := Application([(r"/", Frontend), (r"/backend", Backend)]))
        [listening] = server.listen(0, "127.0.0.1", backlog=300)
        port = listening.getsockname()[1]
        application.settings["backend"] = f"http://127.0.0.1:{port}/backend"

        async def visit():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer.endswith(b'{"answer":42}')

        assert await asyncio.gather(*(visit() for _ in range(100))) == [True] * 100
        server.close()
        listening.close()

    run(main)
