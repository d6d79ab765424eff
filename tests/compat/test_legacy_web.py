"""What Tornado's web names do that Eyewall's own do otherwise."""

import gzip
import hashlib
import importlib
import sys
from http.cookies import CookieError
from unittest import mock

import pytest

from eyewall.tornado import escape, gen, httputil, locale, web
from eyewall.tornado.httpclient import HTTPClientError
from eyewall.tornado.httpserver import HTTPServer
from eyewall.tornado.testing import AsyncHTTPTestCase
from eyewall.web import RequestHandler


@pytest.fixture
def ask(tmp_path):
    """Ask an application that is served as programs for Tornado serve theirs."""
    cases = []

    def ask(app, path="/", options=None, **kwargs):
        class Case(AsyncHTTPTestCase):
            def get_app(self):
                return app

            def get_httpserver_options(self):
                return options or {}

        case = Case("setUp")
        case.setUp()
        cases.append(case)
        return case.fetch(path, follow_redirects=False, **kwargs)

    yield ask
    for case in cases:
        case.tearDown()


def page(function):
    """An application with one page."""

    class Page(web.RequestHandler):
        def get(self):
            function(self)

        post = get

    return web.Application([("/", Page)])


def test_handlers_are_ours(ask):
    assert issubclass(web.RequestHandler, RequestHandler)
    for name in ("ErrorHandler", "RedirectHandler", "FallbackHandler", "StaticFileHandler"):
        assert issubclass(getattr(web, name), web.RequestHandler)


def test_cookies_have_the_form_of_the_standard_library(ask):
    def set_some(handler):
        handler.set_cookie("a", "x=y;z", HttpOnly=True, pATH="/p")
        handler.set_cookie("b", "1", domain="d.example", expires=0)
        handler.set_cookie("b", "2", max_age=5, samesite="Lax", secure=True, partitioned=True)

    headers = ask(page(set_some)).headers.get_list("Set-Cookie")
    assert headers == [
        'a="x=y\\073z"; HttpOnly; Path=/p',
        "b=2; Max-Age=5; Path=/; SameSite=Lax; Secure; Partitioned",
    ]


@pytest.mark.parametrize("arguments", [{"domain": "a;b"}, {"path": "/\n"}, {"samesite": "x\x00"}])
def test_cookies_that_cannot_be_sent_are_errors(ask, arguments):
    def set_one(handler):
        with pytest.raises(CookieError, match="Invalid cookie attribute"):
            handler.set_cookie("a", "b", **arguments)
        with pytest.raises(TypeError, match="no attributes nonsense"):
            handler.set_cookie("a", "b", nonsense="x")
        handler.write("refused")

    assert ask(page(set_one)).body == b"refused"


def test_redirects_are_sent_as_they_are_given(ask):
    response = ask(page(lambda handler: handler.redirect("elsewhere")))
    assert (response.code, response.headers["Location"]) == (302, "elsewhere")


def test_finish_gives_a_future(ask):
    def finish(handler):
        assert gen.is_future(handler.finish("done"))

    assert ask(page(finish)).body == b"done"


def test_verbs_can_be_replaced_while_the_application_is_there(ask):
    class Page(web.RequestHandler):
        def get(self, word):
            self.write(word)

    app = web.Application([("/(.*)", Page)])
    with mock.patch.object(Page, "get", return_value=None) as get:
        assert ask(app, "/word").body == b""
    get.assert_called_once_with("word")
    assert ask(app, "/word").body == b"word"


def test_a_program_may_cut_the_connection(ask, caplog):
    def cut(handler):
        handler.request.connection.stream.close()
        handler.write("to nobody")

    with pytest.raises(HTTPClientError):
        ask(page(cut))
    assert "Traceback" not in caplog.text


def test_a_server_takes_a_function_of_requests(ask):
    def answer(request):
        assert request.body == b"sent"
        line = httputil.ResponseStartLine("HTTP/1.1", 200, "OK")
        request.connection.write_headers(line, httputil.HTTPHeaders({"Content-Length": "2"}))
        request.connection.write(b"ok")
        request.connection.finish()

    assert ask(answer, method="POST", body="sent").body == b"ok"


def test_a_function_that_fails_is_answered(ask, caplog):
    assert ask(lambda request: 1 / 0).code == 500
    assert "Uncaught exception GET /" in caplog.text


def test_bodies_come_in_pieces_of_the_size_that_was_asked_for(ask):
    @web.stream_request_body
    class Stream(web.RequestHandler):
        def prepare(self):
            self.sizes = []

        def data_received(self, chunk):
            self.sizes.append(len(chunk))

        def post(self):
            self.write({"sizes": self.sizes})

    app = web.Application([("/", Stream)])
    body = gzip.compress(b"x" * 10)
    response = ask(
        app,
        options={"chunk_size": 4, "decompress_request": True, "max_buffer_size": 1},
        method="POST",
        headers={"Content-Encoding": "gzip"},
        body=body,
    )
    assert escape.json_decode(response.body) == {"sizes": [4, 4, 2]}


def test_a_server_is_given_something_that_answers():
    with pytest.raises(TypeError, match="no application"):
        HTTPServer(42)
    with pytest.raises(ValueError, match="one process"):
        HTTPServer(web.Application()).start(4)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    (tmp_path / ".hidden").write_bytes(b"h")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_bytes(b"index")
    return tmp_path


def static(files, **arguments):
    arguments = {"path": str(files), "default_filename": "index.html", **arguments}
    return web.Application([(r"/s/(.*)", web.StaticFileHandler, arguments)])


def test_static_files_have_whole_sums_as_versions(ask, files):
    response = ask(static(files), "/s/a.txt")
    assert response.headers["Etag"] == f'"{hashlib.sha512(b"0123456789").hexdigest()}"'
    assert response.headers["Content-Type"] == "text/plain"
    assert "Cache-Control" not in response.headers
    assert "Cache-Control" in ask(static(files), "/s/a.txt?v=anything").headers


@pytest.mark.parametrize(
    ("field", "status", "body"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=-3", 206, b"789"),
        ("bytes=5-100", 206, b"56789"),
        ("bytes=0-", 200, b"0123456789"),
        ("bytes=10-", 416, b""),
        ("bytes=5-3", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=" + "9" * 60 + "-", 200, b"0123456789"),
    ],
)
def test_ranges_are_answered(ask, files, field, status, body):
    response = ask(static(files), "/s/a.txt", headers={"Range": field})
    assert (response.code, response.body) == (status, body)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/s/.hidden", 200),
        ("/s/folder", 301),
        ("/s/folder/", 200),
        ("/s/none", 404),
        ("/s/../x", 403),
        ("/s/link", 403),
    ],
)
def test_paths_stay_in_the_folder(ask, files, path, status):
    (files / "link").symlink_to("/etc/hostname")
    assert ask(static(files), path).code == status


def test_links_lead_where_the_route_lets_them(ask, files, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "b.txt").write_bytes(b"b")
    (files / "link").symlink_to(other / "b.txt")
    app = static(files, allowed_symlink_directory=[str(files), str(other)])
    assert ask(app, "/s/link").body == b"b"


def test_versions_are_read_through_the_hooks(files):
    class Own(web.StaticFileHandler):
        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            return [b"from ", b"elsewhere"]

    settings = {"static_path": str(files)}
    wanted = hashlib.sha512(b"from elsewhere").hexdigest()
    assert Own.get_version(settings, "a.txt") == wanted
    assert web.StaticFileHandler.get_version(settings, "folder") is None
    with pytest.raises(web.HTTPError):
        web.StaticFileHandler.get_version(settings, "../x")


def test_forms_are_added_to_dictionaries():
    arguments, files = {"a": [b"0"]}, {}
    httputil.parse_body_arguments("application/x-www-form-urlencoded", b"a=1", arguments, files)
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\nx\r\n--b--'
    httputil.parse_body_arguments("multipart/form-data; boundary=b", body, arguments, files)
    httputil.parse_body_arguments("text/plain", b"z=1", arguments, files)
    assert arguments == {"a": [b"0", b"1"]}
    assert files["f"][0].body == b"x"


@pytest.mark.parametrize(
    ("kind", "body", "headers"),
    [
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1001), None),
        ("application/x-www-form-urlencoded", b"a=1", {"Content-Encoding": "gzip"}),
        ("multipart/form-data; boundary=b", b"nothing", None),
    ],
)
def test_bad_forms_are_input_errors(kind, body, headers):
    with pytest.raises(httputil.HTTPInputError):
        httputil.parse_body_arguments(
            kind, body, {}, {}, httputil.HTTPHeaders(headers) if headers else None
        )


def test_forms_can_be_refused_altogether():
    config = httputil.ParseMultipartConfig(enabled=False)
    with pytest.raises(httputil.HTTPInputError, match="disabled"):
        httputil.parse_multipart_form_data(b"b", b"", {}, {}, config=config)


def test_a_request_can_be_made_by_hand():
    request = httputil.HTTPServerRequest(
        "POST", "/a?b=c", headers=httputil.HTTPHeaders({"Host": "h:80"}), body=b"x"
    )
    assert (request.method, request.path, request.host_name) == ("POST", "/a", "h")
    assert request.arguments == {"b": [b"c"]}
    assert isinstance(request, httputil.HTTPServerRequest)
    with pytest.raises(TypeError, match="start_line"):
        httputil.HTTPServerRequest()


def test_the_last_cookie_of_a_name_counts_in_the_old_parser():
    parsed = httputil.parse_cookie('a=1; a=2; alone; q="x\\073\\"y"')
    assert parsed == {"a": "2", "": "alone", "q": 'x;"y'}


def test_old_names_are_there():
    assert web.asynchronous is not None
    assert gen.engine is not None
    assert escape.native_str is escape.to_basestring
    assert locale.LOCALE_NAMES["de_DE"] == {"name_en": "German", "name": "Deutsch"}
    assert httputil.encode_username_password("ä", b"b") == "ä:b".encode()


def test_stack_contexts_do_nothing_but_enter():
    sys.modules.pop("eyewall.tornado.stack_context", None)
    with pytest.warns(DeprecationWarning, match="does nothing"):
        stack_context = importlib.import_module("eyewall.tornado.stack_context")
    entered = []

    class Context:
        def __enter__(self):
            entered.append(self)

        def __exit__(self, *exc_info):
            return False

    with stack_context.StackContext(Context), stack_context.NullContext():
        assert entered
    with stack_context.ExceptionStackContext(lambda kind, value, tb: kind is KeyError):
        raise KeyError
    assert stack_context.wrap(print) is print
    assert stack_context.run_with_stack_context(Context(), lambda: 42) == 42
