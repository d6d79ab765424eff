"""WSGI programs behind the engine."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from wsgiref.validate import validator

import flask
import pytest

from eyewall.hosting import WSGIContainer
from eyewall.testing.client import TestClient
from eyewall.web import Application, Mount
from eyewall.web.handler.stock import FallbackHandler
from tests.conftest import Live

TEXT = [("Content-Type", "text/plain")]


def served(run, app, ask, **options):
    async def main():
        async with TestClient(WSGIContainer(app), **options) as client:
            return await ask(client)

    return run(main)


def flask_app():
    app = flask.Flask("site")

    @app.get("/")
    def home():
        return f"hello {flask.request.args.get('name', '')}"

    @app.post("/form")
    def form():
        return {"name": flask.request.form["name"], "file": len(flask.request.files["f"].read())}

    @app.get("/stream")
    def stream():
        return flask.Response((b"x" * 50_000 for _ in range(10)), mimetype="text/plain")

    @app.get("/fails")
    def fails():
        raise LookupError("on purpose")

    @app.get("/cookie")
    def cookie():
        answer = flask.make_response("set")
        answer.set_cookie("a", "1")
        answer.set_cookie("b", "2")
        return answer

    return app


def test_flask_runs_with_forms_uploads_streams_and_cookies(run, caplog):
    async def ask(client):
        return (
            await client.get("/?name=Ada"),
            await client.post(
                "/form",
                data={"name": "Ada"},
                files={"f": ("a.bin", b"z" * 2_000_000, "application/octet-stream")},
            ),
            await client.get("/stream"),
            await client.get("/cookie"),
            await client.get("/fails"),
            await client.request("HEAD", "/"),
        )

    home, form, stream, cookie, fails, head = served(run, flask_app(), ask)
    assert home.text == "hello Ada"
    assert form.json() == {"name": "Ada", "file": 2_000_000}
    assert stream.body == b"x" * 500_000
    assert len(cookie.headers.get_list("Set-Cookie")) == 2
    assert fails.status == 500
    assert (head.status, head.body) == (200, b"")


def test_the_validator_of_the_standard_library_finds_nothing(run):
    def app(environ, start_response):
        body = environ["wsgi.input"].read(100)
        start_response("200 OK", TEXT)
        return [environ["REQUEST_METHOD"].encode(), body]

    async def ask(client):
        return await client.get("/a?b=c"), await client.post("/", data=b"body")

    got, posted = served(run, validator(app), ask)
    assert (got.text, posted.text) == ("GET", "POSTbody")


def test_the_environ_tells_of_the_request(run):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        names = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_X_A", "REMOTE_ADDR",
                 "SERVER_PROTOCOL", "wsgi.url_scheme", "CONTENT_TYPE")  # fmt: skip
        return ["|".join(str(environ.get(name)) for name in names).encode("latin-1")]

    async def main():
        site = Application([Mount("/old", WSGIContainer(app))], access_log=False)
        async with TestClient(site) as client:
            headers = {"X-A": "1", "Content-Type": "text/x"}
            return (await client.get("/old/%C3%A9?q=1", headers=headers)).text

    path = "/é".encode().decode("latin-1").encode("latin-1").decode()
    assert run(main) == f"/old|{path}|q=1|1|127.0.0.1|HTTP/1.1|http|text/x"


def test_a_field_with_an_underscore_cannot_pose_as_another(run):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return [environ.get("HTTP_X_USER", "nobody").encode()]

    async def main():
        live = Live(WSGIContainer(app))
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\nX_User: admin\r\n\r\n")
        answer = await peer.answer()
        await peer.close()
        live.close()
        return answer[2]

    assert run(main) == b"nobody"


def test_write_and_late_errors(run, caplog):
    """`write` of start_response, and `exc_info` before and after the head has gone."""

    def writes(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"one ")
        return [b"two"]

    def replaced(environ, start_response):
        start_response("200 OK", TEXT)
        try:
            raise LookupError
        except LookupError:
            import sys

            start_response("503 Later", TEXT, sys.exc_info())
        return [b"sorry"]

    async def ask(client):
        return await client.get("/")

    assert served(run, writes, ask).text == "one two"
    answer = served(run, replaced, ask)
    assert (answer.status, answer.text) == (503, "sorry")


def twice(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return []


def never(environ, start_response):
    return [b"x"]


def odd_status(environ, start_response):
    start_response("fine", TEXT)
    return [b"x"]


def bad_header(environ, start_response):
    start_response("200 OK", [("A", "b\r\nC: d")])
    return [b"x"]


def raises(environ, start_response):
    raise LookupError("on purpose")


@pytest.mark.parametrize("app", [twice, never, odd_status, bad_header, raises])
def test_a_program_that_is_wrong_is_answered_500_with_one_log_entry(run, app, caplog):
    async def ask(client):
        return await client.get("/")

    assert served(run, app, ask).status == 500
    assert len(caplog.records) == 1


def test_close_is_called_whatever_happens(run, caplog):
    closed = []

    class Pieces:
        def __init__(self, error):
            self.error = error

        def __iter__(self):
            yield b"one"
            if self.error:
                raise LookupError("half-way")

        def close(self):
            closed.append(self.error)

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return Pieces(environ["PATH_INFO"] == "/error")

    async def main():
        live = Live(WSGIContainer(app))
        answers = []
        for path in ("/", "/error"):
            peer = await live.connect()
            peer.send(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            answers.append(await peer.read_all())
            await peer.close()
        live.close()
        return answers

    whole, cut = run(main)
    assert whole.endswith(b"0\r\n\r\n")
    assert not cut.endswith(b"0\r\n\r\n")
    assert closed == [False, True]


def test_files_are_wrapped_and_closed(run):
    file = io.BytesIO(b"f" * 300_000)

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return environ["wsgi.file_wrapper"](file, 1000)

    async def ask(client):
        return await client.get("/")

    assert served(run, app, ask).body == b"f" * 300_000
    assert file.closed


def test_slow_requests_wait_in_threads_and_not_in_each_other(run):
    meeting = threading.Barrier(5)

    def app(environ, start_response):
        # Passes only when five are in it at once.
        meeting.wait(20)
        start_response("200 OK", TEXT)
        return [b"met"]

    async def ask(client):
        return await asyncio.gather(*(client.get("/") for _ in range(5)))

    assert [answer.text for answer in served(run, app, ask)] == ["met"] * 5


def test_an_executor_of_ones_own_is_used(run):
    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return [threading.current_thread().name.encode()]

    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:

        async def main():
            async with TestClient(WSGIContainer(app, executor)) as client:
                return (await client.get("/")).text

        assert run(main).startswith("mine")


def test_a_body_over_the_limit_is_413_and_never_reaches_the_program(run, caplog):
    def app(environ, start_response):
        raise AssertionError("called")

    async def main():
        async with TestClient(WSGIContainer(app, max_body_size=1000)) as client:
            return (await client.post("/", data=b"x" * 2000)).status

    assert run(main) == 413


def test_a_client_that_goes_away_ends_the_program_s_writing(run):
    began, ended = threading.Event(), threading.Event()

    class Endless:
        def __iter__(self):
            while True:
                yield b"x" * 65536
                began.set()

        def close(self):
            ended.set()

    def app(environ, start_response):
        start_response("200 OK", TEXT)
        return Endless()

    async def main():
        live = Live(WSGIContainer(app))
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.to_thread(began.wait, 20)
        await peer.close()
        done = await asyncio.to_thread(ended.wait, 20)
        live.close()
        return done

    assert run(main)


def test_a_fallback_handler_hands_requests_on_with_their_bodies(run):
    async def main():
        container = WSGIContainer(flask_app())
        site = Application(
            [("/new", lambda request: "new"), (".*", FallbackHandler, {"fallback": container})],
            access_log=False,
        )
        async with TestClient(site) as client:
            form = await client.post(
                "/form", data={"name": "Bo"}, files={"f": ("a", b"12345", "text/plain")}
            )
            return (await client.get("/new")).text, (await client.get("/")).text, form.json()

    assert run(main) == ("new", "hello ", {"name": "Bo", "file": 5})


def test_what_is_not_callable_is_refused():
    with pytest.raises(TypeError, match="callable"):
        WSGIContainer("main:app")
