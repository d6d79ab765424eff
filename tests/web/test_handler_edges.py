"""Corners of a handler's life: cancellation, bodies without verbs, paths in other encodings."""

import asyncio
import gzip

import pytest

from eyewall.web import Application, FallbackHandler, HTTPError, RequestHandler, stream_request_body
from eyewall.web.routing.rules import PathMatches, Rule
from eyewall.web.rule_router import ReversibleRuleRouter
from tests.conftest import Live


def ask(run, app, target="/", method="GET", body=b"", headers=()):
    """The status, header and body of one answer."""

    async def main():
        live = Live(app)
        peer = await live.connect()
        lines = [f"{method} {target} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers]
        peer.send("\r\n".join([*lines, "", ""]).encode() + body)
        answer = await peer.answer()
        await peer.close()
        live.close()
        return answer

    return run(main)


def app_of(handler, **settings):
    return Application([(r"/(.*)", handler)], access_log=False, **settings)


class AwaitsCancelled(RequestHandler):
    async def get(self, _):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future


class PreparesCancelled(RequestHandler):
    async def prepare(self):
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    def get(self, _):
        raise AssertionError("never called")


@stream_request_body
class StreamsCancelled(PreparesCancelled):
    def put(self, _):
        raise AssertionError("never called")


@pytest.mark.parametrize(
    ("handler", "method"),
    [(AwaitsCancelled, "GET"), (PreparesCancelled, "GET"), (StreamsCancelled, "PUT")],
)
def test_awaiting_what_was_cancelled_is_an_error_like_any_other(run, caplog, handler, method):
    assert ask(run, app_of(handler), method=method, body=b"x" * (method == "PUT"))[0] == 500
    assert [record.getMessage() for record in caplog.records] == [
        f"Uncaught exception {method} / (127.0.0.1)"
    ]


def test_a_handler_that_is_cancelled_answers_without_a_log_line(run, caplog):
    class Cancelled(RequestHandler):
        async def get(self, _):
            task = asyncio.current_task()
            task.get_loop().call_soon(task.cancel)
            await asyncio.get_running_loop().create_future()

    assert ask(run, app_of(Cancelled))[0] == 500
    assert not caplog.records


def test_prepare_sees_the_body_of_a_method_that_has_no_verb(run):
    class Only(RequestHandler):
        def prepare(self):
            self.finish(self.get_body_argument("a", "nothing"))

    form = ("Content-Type: application/x-www-form-urlencoded",)
    assert ask(run, app_of(Only), method="POST", body=b"a=b", headers=form)[2] == b"b"


class Latin(RequestHandler):
    def decode_argument(self, value, name=None):
        return value.decode("latin-1")

    def get(self, word):
        self.write(f"{word} {self.get_argument('a', '')}")


def test_a_handler_decodes_the_path_as_it_decodes_arguments(run):
    assert ask(run, app_of(Latin), "/%E9?a=%E9")[2].decode() == "é é"
    named = Application([(r"/(?P<word>.*)", Latin)], access_log=False)
    assert ask(run, named, "/%E9x")[2].decode() == "éx "


def test_a_path_that_a_handler_cannot_decode_is_a_client_error(run, caplog):
    class Plain(RequestHandler):
        def get(self, word):
            self.write(word)

    assert ask(run, app_of(Plain), "/%E9")[0] == 400
    assert "Invalid unicode" in caplog.text

    class Strict(Latin):
        def decode_argument(self, value, name=None):
            raise HTTPError(400, "no")

    assert ask(run, app_of(Strict), "/x")[0] == 400


def test_arguments_may_stay_bytes(run):
    class Bytes(RequestHandler):
        def decode_argument(self, value, name=None):
            return value

        def get(self, word):
            self.write(word + self.get_argument("a") + b"".join(self.get_arguments("a")))

    assert ask(run, app_of(Bytes), "/x?a=y")[2] == b"xyy"


def test_routes_of_a_router_have_names_in_the_application(run):
    inner = ReversibleRuleRouter([Rule(PathMatches("/inner/(.*)"), RequestHandler, name="inner")])
    app = Application([Rule(PathMatches("/inner/.*"), inner)], access_log=False)
    assert app.reverse_url("inner", "x") == "/inner/x"
    with pytest.raises(KeyError, match="no route named 'other'"):
        app.reverse_url("other")


def test_what_is_left_is_handed_to_something_else(run):
    async def old(request):
        request.exchange.respond(200, {}, b"old: " + request.body)

    new = Application([("/new", lambda request: "new")], access_log=False)
    for fallback, method, answer in ((old, "POST", b"old: x"), (new, "GET", b"new")):
        app = Application([(r".*", FallbackHandler, {"fallback": fallback})], access_log=False)
        body = b"x" * (method == "POST")
        assert ask(run, app, "/new", method, body)[2] == answer
    with pytest.raises(TypeError, match="needs a fallback"):
        FallbackHandler.initialize(object())


def test_a_reason_from_a_request_does_not_reach_the_page(run):
    class Page(RequestHandler):
        def get(self, _):
            raise HTTPError(400, reason=self.get_argument("reason"))

    status, _, body = ask(run, app_of(Page), "/?reason=%3Cscript%3E%0Ax")
    assert (status, b"script" in body, b"Unknown" in body) == (400, False, True)


@pytest.mark.parametrize("status", [204, 304])
def test_an_error_of_a_status_without_a_body_has_none(run, caplog, status):
    class Page(RequestHandler):
        def get(self, _):
            raise HTTPError(status)

    assert ask(run, app_of(Page))[::2] == (status, b"")
    assert not caplog.records


def test_a_not_modified_answer_says_nothing_of_the_body(run):
    class Page(RequestHandler):
        def get(self, _):
            self.set_header("Content-Language", "de")
            self.set_header("Etag", '"a"')
            self.write("x")
            if self.check_etag_header():
                self._not_modified()
                self._chunk = b""

        def compute_etag(self):
            return '"a"'

    status, headers, _ = ask(run, app_of(Page), headers=('If-None-Match: "a"',))
    assert status == 304
    assert "content-language" not in {name.lower() for name in headers}


def test_a_body_that_is_too_large_is_one_line_of_information(run, caplog):
    caplog.set_level("INFO")

    class Small(RequestHandler):
        max_body_size = 3

        def post(self, _):
            raise AssertionError("never called")

    assert ask(run, app_of(Small), method="POST", body=b"four")[0] == 413
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["Malformed HTTP message from 127.0.0.1: Content-Length too long: 4"]


def test_forms_in_a_coding_that_is_not_decoded_are_refused(run, caplog):
    class Form(RequestHandler):
        def post(self, _):
            self.write(self.get_body_argument("a"))

    headers = ("Content-Type: application/x-www-form-urlencoded", "Content-Encoding: gzip")
    body = gzip.compress(b"a=b")
    assert ask(run, app_of(Form), method="POST", body=body, headers=headers)[0] == 400
    assert "Unsupported Content-Encoding of a form: gzip" in caplog.text


class Callback(RequestHandler):
    def get(self):
        self.hide_query()
        if self.get_query_argument("fails", None):
            raise LookupError("on purpose")


@pytest.mark.parametrize("more", ["", "&fails=1"])
def test_a_hidden_query_stands_in_no_log_line(run, caplog, more):
    caplog.set_level("INFO")
    ask(run, Application([("/back", Callback)]), f"/back?code=a-secret&state=another{more}")
    said = [f"{record.getMessage()} {getattr(record, 'target', '')}" for record in caplog.records]
    assert any(" GET /back (" in line for line in said)
    assert not any("secret" in line or "another" in line for line in said)
