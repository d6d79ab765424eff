"""Class handlers and functions through the real engine."""

import asyncio
import json
import logging
import sys

import pytest

from eyewall import Application, HTTPError, RequestHandler, Response
from eyewall.web import Finish, RedirectHandler
from tests.conftest import Live


def ask(run, app, target="/", *, method="GET", headers="", body=b"", version="1.1"):
    """One request to an application; returns status, headers, body."""

    async def main():
        live = Live(app)
        peer = await live.connect()
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/{version}\r\nHost: h.example\r\n{headers}{length}\r\n"
        peer.send(head.encode() + body)
        answer = await peer.answer(head=method == "HEAD")
        await peer.close()
        live.close()
        return answer

    return run(main)


def handler(**members):
    return type("Handler", (RequestHandler,), members)


def app_of(**members):
    return Application([(r"/.*", handler(**members))], access_log=False)


def test_text_bytes_and_dicts_are_written(run):
    def get(self):
        self.write("täxt ")
        self.write(b"bytes")

    assert ask(run, app_of(get=get))[2] == "täxt bytes".encode()
    status, headers, body = ask(run, app_of(get=lambda self: self.write({"a": "</x>"})))
    assert status == 200
    assert headers["content-type"] == "application/json; charset=UTF-8"
    assert body == b'{"a":"<\\/x>"}'


def test_a_list_is_refused_with_the_reason(run, caplog):
    status, _, _ = ask(run, app_of(get=lambda self: self.write([1])))
    assert status == 500
    assert "wrap a list in a dict" in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True])
def test_hooks_are_called_in_order(run, asynchronous):
    calls = []

    def note(name):
        if asynchronous and name in {"prepare", "get"}:

            async def hook(self, *_args, **_kwargs):
                await asyncio.sleep(0)
                calls.append(name)

            return hook
        return lambda self, *args, **kwargs: calls.append(name)

    names = ["set_default_headers", "initialize", "prepare", "get", "on_finish"]
    status, _, _ = ask(run, app_of(**{name: note(name) for name in names}))
    assert status == 200
    assert calls == names


def test_prepare_may_finish_the_request(run):
    def prepare(self):
        self.finish("prepared")

    assert ask(run, app_of(prepare=prepare, get=lambda self: self.write("got")))[2] == b"prepared"


def test_arguments_of_the_route_the_query_and_the_form(run):
    class Handler(RequestHandler):
        def initialize(self, greeting):
            self.greeting = greeting

        def post(self, first, second):
            self.write(
                {
                    "path": [first, second],
                    "greeting": self.greeting,
                    "q": self.get_query_arguments("q"),
                    "last": self.get_argument("q"),
                    "form": self.get_body_argument("f"),
                    "raw": self.get_body_argument("f", strip=False),
                    "default": self.get_argument("none", "default"),
                }
            )

    app = Application([(r"/x/(\w+)/([^/]+)", Handler, {"greeting": "hi"})], access_log=False)
    form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    _, _, body = ask(
        run,
        app,
        "/x/one/t%C3%A4%2Fo?q=1&q=%20two%20",
        method="POST",
        headers=form,
        body=b"f=+caf%C3%A9+&q=3",
    )
    assert json.loads(body) == {
        "path": ["one", "tä/o"],
        "greeting": "hi",
        "q": ["1", "two"],
        "last": "3",
        "form": "café",
        "raw": " café ",
        "default": "default",
    }


@pytest.mark.parametrize(
    "target", ["/", "/?a=%ff", "/x%ff", "/?" + "&".join("b=1" for _ in range(2000))]
)
def test_bad_arguments_are_400_without_a_traceback(run, caplog, target):
    app = Application(
        [
            (r"/x(.*)", handler(get=lambda self, _: self.finish("no"))),
            (r"/", handler(get=lambda self: self.write(self.get_argument("a")))),
        ],
        access_log=False,
    )
    assert ask(run, app, target)[0] == 400
    assert "Traceback" not in caplog.text
    assert len(caplog.records) == 1
    assert len(caplog.text) < 10_000


def test_errors_have_pages_and_one_log_line(run, caplog):
    def get(self):
        raise HTTPError(403, "because %s", "of you", reason="No entry")

    status, _, body = ask(run, app_of(get=get))
    assert (status, body) == (
        403,
        b"<html><title>403: No entry</title><body>403: No entry</body></html>",
    )
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "because of you" in caplog.text


def test_an_exception_is_500_and_logged_once_with_its_traceback(run, caplog):
    status, _, body = ask(run, app_of(get=lambda self: 1 / 0))
    assert status == 500
    assert b"ZeroDivisionError" not in body
    assert len(caplog.records) == 1
    assert "ZeroDivisionError" in caplog.text


def test_the_development_page_shows_the_error_in_the_form_asked_for(run):
    app = Application([(r"/", handler(get=lambda self: 1 / 0))], debug=True, access_log=False)
    for accept, kind, mark in [
        ("text/html,*/*", "text/html", b"<mark>"),
        ("*/*", "text/plain", b"Traceback"),
        ("application/json", "application/json", b'"traceback"'),
    ]:
        status, headers, body = ask(run, app, headers=f"Accept: {accept}\r\n")
        assert status == 500
        assert headers["content-type"].startswith(kind)
        assert b"ZeroDivisionError" in body
        assert mark in body


def test_unknown_paths_and_methods(run):
    app = app_of(get=lambda self: None, post=lambda self: None)
    status, headers, _ = ask(run, app, method="PUT")
    assert (status, headers["allow"]) == (405, "GET, OPTIONS, POST")
    status, headers, _ = ask(run, app, method="OPTIONS")
    assert (status, headers["allow"]) == (204, "GET, OPTIONS, POST")
    assert ask(run, app, method="HEAD")[0] == 405
    assert ask(run, app, method="BREW")[0] == 405
    assert ask(run, Application([], access_log=False))[0] == 404


def test_the_default_handler_can_be_replaced(run):
    app = Application(
        [], default_handler_class=handler(get=lambda self: self.write("mine")), access_log=False
    )
    assert ask(run, app, "/anything")[2] == b"mine"


def test_finish_rules(run, caplog):
    seen = []

    def get(self):
        self.finish("done")
        for call in (lambda: self.write("more"), self.finish):
            with pytest.raises(RuntimeError):
                call()
            seen.append(call)

    assert ask(run, app_of(get=get))[2] == b"done"
    assert len(seen) == 2
    assert not caplog.records

    def stops(self):
        raise Finish("last words")

    assert ask(run, app_of(get=stops))[2] == b"last words"


def test_etags_make_304(run):
    app = app_of(get=lambda self: self.write("hello"))
    _, headers, _ = ask(run, app)
    tag = headers["etag"]
    assert tag == '"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"'
    for sent in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        status, headers, body = ask(run, app, headers=f"If-None-Match: {sent}\r\n")
        assert (status, body) == (304, b"")
        assert headers["etag"] == tag
        assert "content-type" not in headers
    assert ask(run, app, headers='If-None-Match: "x"\r\n')[0] == 200
    own = app_of(get=lambda self: self.write("hello"), compute_etag=lambda self: '"own"')
    assert ask(run, own)[1]["etag"] == '"own"'
    none = app_of(get=lambda self: self.write("hello"), compute_etag=lambda self: None)
    assert "etag" not in ask(run, none)[1]


def test_headers_and_cookies(run):
    def get(self):
        self.set_header("x-one", 1)
        self.add_header("X-One", "2")
        self.set_header("X-Gone", "3")
        self.clear_header("x-gone")
        self.set_cookie("a", "b c", httponly=True, samesite="Lax", max_age=5)
        self.write(self.get_cookie("sent", ""))

    async def main():
        live = Live(app_of(get=get))
        peer = await live.connect()
        peer.send(b'GET / HTTP/1.1\r\nHost: h\r\nCookie: sent="qu\\"oted"; x=y\r\n\r\n')
        raw = await peer.reader.readuntil(b"\r\n\r\n")
        await peer.close()
        live.close()
        return raw.decode()

    raw = run(main)
    assert raw.count("X-One: ") == 2
    assert "X-Gone" not in raw
    assert 'Set-Cookie: a="b c"; Path=/; SameSite=Lax; Max-Age=5; HttpOnly' in raw or (
        'Set-Cookie: a="b c"' in raw
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda self: self.set_header("A\r\nB", "c"),
        lambda self: self.set_header("A", "b\r\nC: d"),
        lambda self: self.add_header("A", "b\nC: d"),
        lambda self: self.set_status(200, "OK\r\nX: y"),
        lambda self: self.set_cookie("a;b", "c"),
        lambda self: self.set_cookie("a", "b", domain="x;y"),
        lambda self: self.set_cookie("a", "b", path="/\r\nX: y"),
        lambda self: self.set_cookie("a", "b", samesite="Odd"),
        lambda self: self.redirect("/\r\nX: y"),
    ],
)
def test_nothing_that_a_handler_passes_splits_the_answer(run, call):
    raised = []

    def get(self):
        try:
            call(self)
        except ValueError as exc:
            raised.append(exc)
            self.set_status(200)

    assert ask(run, app_of(get=get))[0] == 200
    assert raised


def test_redirects(run):
    status, headers, _ = ask(
        run, app_of(get=lambda self: self.redirect("../b?c", permanent=True)), "/a/x"
    )
    assert (status, headers["location"]) == (301, "/b?c")
    app = Application([(r"/old/(.*)", RedirectHandler, {"url": "/new/{0}"})], access_log=False)
    status, headers, _ = ask(run, app, "/old/x?q=1")
    assert (status, headers["location"]) == (301, "/new/x?q=1")


def test_streams_flush_piece_by_piece(run):
    async def get(self):
        for number in range(3):
            self.write(f"piece {number} ")
            await self.flush()
        self.write("end")

    status, headers, body = ask(run, app_of(get=get))
    assert (status, headers["transfer-encoding"], body) == (
        200,
        "chunked",
        b"piece 0 piece 1 piece 2 end",
    )


def test_an_error_after_the_head_cuts_the_connection(run, caplog):
    async def get(self):
        self.write("half")
        await self.flush()
        raise ValueError("too late")

    async def main():
        live = Live(app_of(get=get))
        answer = await live.ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        live.close()
        return answer

    answer = run(main)
    assert answer.count(b"HTTP/1.1") <= 1
    assert not answer.endswith(b"0\r\n\r\n")
    assert "too late" in caplog.text


def test_on_connection_close_is_called_and_the_handler_goes_on(run):
    async def main():
        closed, over = asyncio.Event(), asyncio.Event()

        async def get(self):
            await closed.wait()
            self.finish("nobody reads this")
            over.set()

        live = Live(app_of(get=get, on_connection_close=lambda self: closed.set()))
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        while not live.server.stats()["exchanges"]:
            await asyncio.sleep(0)
        await peer.close()
        await asyncio.wait_for(over.wait(), 10)
        live.close()

    run(main)


def test_a_handlers_body_limit(run):
    members = {"max_body_size": 5, "post": lambda self: self.write(self.request.body)}
    assert ask(run, app_of(**members), method="POST", body=b"12345")[2] == b"12345"
    assert ask(run, app_of(**members), method="POST", body=b"123456")[0] == 413


@pytest.mark.parametrize(
    ("returned", "status", "kind", "body"),
    [
        ("täxt", 200, "text/html; charset=UTF-8", "täxt".encode()),
        (b"bytes", 200, "application/octet-stream", b"bytes"),
        ({"a": 1}, 200, "application/json; charset=UTF-8", b'{"a":1}'),
        ([1, 2], 200, "application/json; charset=UTF-8", b"[1,2]"),
        (None, 204, None, b""),
        (
            Response("gone", status=410, headers={"content-type": "text/plain"}),
            410,
            "text/plain",
            b"gone",
        ),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_functions_answer_with_what_they_return(run, returned, status, kind, body, asynchronous):
    if asynchronous:

        async def home(request):
            await asyncio.sleep(0)
            return returned
    else:

        def home(request):
            return returned

    answer = ask(run, Application([(r"/", home)], access_log=False))
    assert answer[0] == status
    assert answer[1].get("content-type") == kind
    assert answer[2] == body


def test_decorated_functions_get_converted_arguments(run):
    app = Application(access_log=False)

    @app.get("/users/{id:int}/{rest:path}", name="user")
    def user(request, id, rest):
        return {"id": id, "rest": rest, "method": request.method}

    @app.post("/users/{id:int}/{rest:path}")
    async def change(request, id, rest):
        return request.body

    assert json.loads(ask(run, app, "/users/7/a/b")[2]) == {"id": 7, "rest": "a/b", "method": "GET"}
    assert ask(run, app, "/users/7/a", method="POST", body=b"posted")[2] == b"posted"
    assert ask(run, app, "/users/x/a")[0] == 404
    status, headers, _ = ask(run, app, "/users/7/a", method="DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert ask(run, app, "/users/7/a", method="HEAD")[0] == 200
    assert app.reverse_url("user", 7, "a b") == "/users/7/a%20b"


def test_the_access_log_has_a_line_a_request(run, caplog):
    caplog.set_level(logging.INFO)
    app = Application([(r"/", lambda request: "hi"), (r"/c", handler(get=lambda self: None))])
    ask(run, app, "/")
    ask(run, app, "/c?x")
    ask(run, app, "/none")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in lines] == ["INFO", "INFO", "WARNING"]
    assert lines[0][1].startswith("200 GET / (127.0.0.1) ")
    assert lines[1][1].startswith("200 GET /c?x (127.0.0.1) ")
    assert lines[2][1].startswith("404 GET /none ")


def test_hosts_have_routes_of_their_own(run):
    app = Application([(r"/", lambda request: "any")], access_log=False)
    app.add_handlers(r"h\.example", [(r"/", lambda request: "mine")])
    assert ask(run, app)[2] == b"mine"


def test_a_plain_get_enters_few_frames(run):
    """The way of one request must stay short: see how many Python functions it enters."""
    frames = []
    app = app_of(get=lambda self: self.write("Hello, world"))

    def traced(exchange):
        sys.setprofile(
            lambda frame, event, _: (
                frames.append(frame.f_code.co_qualname) if event == "call" else None
            )
        )
        try:
            app(exchange)
        finally:
            sys.setprofile(None)

    assert ask(run, traced)[2] == b"Hello, world"
    assert len(frames) <= 12, frames
