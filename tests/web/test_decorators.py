"""Decorators of verbs and classes, through the real engine."""

import asyncio

import pytest

from eyewall.aio import engine, sleep
from eyewall.loop import IOLoop
from eyewall.web import (
    Application,
    HTTPError,
    RequestHandler,
    addslash,
    asynchronous,
    authenticated,
    removeslash,
    stream_request_body,
)
from tests.web.test_handlers import ask


class Private(RequestHandler):
    def get_current_user(self):
        return self.get_cookie("user")

    @authenticated
    async def get(self):
        self.write(f"for {self.current_user}")

    post = get


class Slash(RequestHandler):
    @addslash
    def get(self):
        self.write("slash")

    post = get


class Bare(RequestHandler):
    @removeslash
    def get(self):
        self.write("bare")


class Later(RequestHandler):
    @asynchronous
    def get(self):
        asyncio.get_running_loop().call_soon(self.finish, "later")


@stream_request_body
class Streamed(RequestHandler):
    def prepare(self):
        self.size = 0

    async def data_received(self, chunk):
        self.size += len(chunk)

    def post(self):
        self.write(str(self.size))


def make(**settings):
    return Application(
        [("/private", Private), ("/slash/?", Slash), ("/+bare/*", Bare), ("/later", Later),
         ("/streamed", Streamed)], access_log=False, **settings,
    )  # fmt: skip


def test_those_whom_nobody_knows_are_sent_to_the_login(run):
    app = make(login_url="/login")
    status, headers, _ = ask(run, app, "/private?a=1")
    assert (status, headers["location"]) == (302, "/login?next=%2Fprivate%3Fa%3D1")
    assert ask(run, app, "/private", headers="Cookie: user=ada\r\n")[2] == b"for ada"
    assert ask(run, app, "/private", method="POST", body=b"x")[0] == 403
    other = make(login_url="https://login.example/in")
    assert ask(run, other, "/private")[1]["location"].startswith(
        "https://login.example/in?next=http%3A%2F%2F"
    )


def test_without_a_login_url_it_says_what_is_missing(run, caplog):
    assert ask(run, make(), "/private")[0] == 500
    assert 'needs the setting "login_url"' in caplog.text


def test_slashes_are_added_and_removed(run):
    status, headers, _ = ask(run, make(), "/slash?a=1")
    assert (status, headers["location"]) == (301, "/slash/?a=1")
    assert ask(run, make(), "/slash/")[2] == b"slash"
    assert ask(run, make(), "/slash", method="POST", body=b"x")[0] == 404
    status, headers, _ = ask(run, make(), "/bare//")
    assert (status, headers["location"]) == (301, "/bare")
    assert ask(run, make(), "/bare")[2] == b"bare"


def test_a_redirect_never_names_another_host(run):
    _, headers, _ = ask(run, make(), "//bare/")
    assert headers["location"] == "/bare"


def test_an_asynchronous_verb_leaves_the_request_open(run):
    assert ask(run, make(), "/later")[2] == b"later"


def test_a_body_is_streamed_to_the_handler(run):
    assert ask(run, make(), "/streamed", method="POST", body=b"x" * 100_000)[2] == b"100000"
    with pytest.raises(TypeError, match="RequestHandler subclasses"):
        stream_request_body(object)


def test_the_way_back_from_the_login_is_on_this_site(run):
    app = Application([(".*", Private)], login_url="/login", access_log=False)
    assert ask(run, app, "//evil.example/x")[1]["location"] == "/login?next=%2F"


@pytest.mark.parametrize("way", ["callback", "timer", "engine"])
def test_errors_of_what_an_asynchronous_verb_begins_are_answered(run, way):
    class Handler(RequestHandler):
        @asynchronous
        def get(self):
            loop = IOLoop.current()
            if way == "callback":
                loop.add_callback(self.fail)
            elif way == "timer":
                loop.call_later(0, self.fail)
            else:
                self.fail_later()

        @engine
        def fail_later(self):
            yield sleep(0)
            self.fail()

        def fail(self):
            raise HTTPError(418, "short and stout")

    assert ask(run, Application([(r"/", Handler)]))[0] == 418
