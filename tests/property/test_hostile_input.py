"""Inputs that have hurt servers of this kind: each parser takes them all, and so does the server.

The inputs are long enough that work beyond linear time would hold the run up for minutes.
"""

import contextlib
import hmac
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.escape import linkify, parse_qs_bytes, url_unescape
from eyewall.base.signing import create_signed_value, decode_signed_value
from eyewall.http.cookies import format_set_cookie, parse_cookie
from eyewall.http.dates import parse_date
from eyewall.http.errors import HTTPInputError
from eyewall.http.etag import parse_tags
from eyewall.http.forms import parse_form
from eyewall.http.headers import HTTPHeaders
from eyewall.http.multipart.form import boundary_of, parse_multipart
from eyewall.http.multipart.headers import parse_parameters
from eyewall.http.negotiation import parse_choices
from eyewall.http.ranges import parse_range
from eyewall.testing.client import TestClient
from eyewall.web import Application, RequestHandler
from eyewall.web.locale.negotiation import parse_accept_language
from eyewall.web.safe_redirect import is_safe_redirect
from eyewall.web.templates import ParseError, Template

LONG = 200_000
REPEATED = [
    "a", "%", "%2", "%25", "%ff", "=", "&", "&=", ";", ",", ", ", ", ,", '"', '\\"', "\\", "\\0", "\\012",
    " ", "\t", "\r\n", "\n ", "\x00", "\x7f", "\x85", "\u2028", "\U0001f600", "é", "-", "--", "..", "../",
    "{", "{{", "{%", "{#", "{{!", "{% if x %}", "(", "[", "<", "<a ", "http://", "www.", "a@", "0-", "0-0,",
    "q=0;", ";q=0.", "W/", '"x",', "bytes=", "|", "2|1:0|", "10:", "9999999999:", "a=b; ", 'a="', "*''",
    "filename*0=a;", "; x=\"", "-a", "aa-", "Sun, ", "1", "1 ", ":", "__", "%5c", "%2f", "%00", "xn--",
]  # fmt: skip
PARSERS = {
    "cookies": parse_cookie,
    "form": parse_form,
    "query": lambda text: parse_qs_bytes(text, max_num_fields=1000),
    "percent": url_unescape,
    "choices": parse_choices,
    "languages": parse_accept_language,
    "range": lambda text: parse_range(text, 1000),
    "range of bytes": lambda text: parse_range(f"bytes={text}", 1000),
    "tags": parse_tags,
    "date": parse_date,
    "headers": HTTPHeaders.parse,
    "boundary": boundary_of,
    "parameters": parse_parameters,
    "signed value": lambda text: decode_signed_value("secret", "name", text),
    "links": linkify,
    "template": Template,
    "redirect": lambda text: is_safe_redirect(text, "example.com"),
    "multipart": lambda text: parse_multipart(text.encode("utf-8", "surrogatepass"), "b"),
    "multipart part": lambda text: parse_multipart(
        b"--b\r\n" + text.encode("utf-8", "surrogatepass") + b"\r\n\r\nx\r\n--b--\r\n", "b"
    ),
}
REFUSALS = (HTTPInputError, ValueError, ParseError)


def refusal(parser, text):
    """What a parser says against a text; "" where it takes it."""
    try:
        PARSERS[parser](text)
    except REFUSALS as exc:
        return str(exc)
    return ""


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("piece", REPEATED, ids=ascii)
def test_a_long_repetition_is_parsed_or_refused_shortly(parser, piece):
    text = piece * (LONG // len(piece))
    for whole in (text, "a=" + text, text + "!"):
        assert len(refusal(parser, whole)) < 500


@pytest.mark.parametrize("parser", PARSERS)
@given(pieces=st.lists(st.sampled_from(REPEATED) | st.text(max_size=5), max_size=30))
def test_a_mixture_is_parsed_or_refused(parser, pieces):
    with contextlib.suppress(*REFUSALS):
        PARSERS[parser]("".join(pieces))


class Echo(RequestHandler):
    def get(self):
        self.get_arguments("a")
        self.get_signed_cookie("a")
        self.get_browser_locale()
        self.write({"cookies": len(self.cookies)})

    post = get


class Reason(RequestHandler):
    def get(self):
        self.set_status(200, self.get_query_argument("reason"))


class Reflect(RequestHandler):
    def get(self):
        self.send_error(400, reason="<script>alert(1)</script>")


async def answer_of(method, target, headers, body, folder):
    app = Application(
        [("/", Echo), ("/reason", Reason), ("/reflect", Reflect)],
        cookie_secret="secret",
        static_path=str(folder),
        access_log=False,
        serve_traceback=False,
    )
    async with TestClient(app) as client:
        return await client.request(method, target, headers=headers, data=body)


@pytest.fixture
def ask(run, tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("inside")
    (tmp_path / "secret.txt").write_text("outside")

    def ask(method="GET", target="/", headers=None, body=None):
        return run(lambda: answer_of(method, target, headers or {}, body, tmp_path / "static"))

    return ask


PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
BROKEN = b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n"
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(("headers", "body"), [
    (MULTIPART, PART * 100_000 + b"--b--\r\n"),
    (MULTIPART, BROKEN * 1000 + b"--b--\r\n"),
    (MULTIPART, b"--b\r\n" + b"A: b\r\n" * 10_000 + b"\r\nx\r\n--b--\r\n"),
    (MULTIPART, b"--b\r\nA: " + b"x" * 100_000 + b"\r\n\r\nx\r\n--b--\r\n"),
    (MULTIPART, b"no boundary at all"),
    (MULTIPART, PART),
    ({"Content-Type": "multipart/form-data"}, PART),
    ({"Content-Type": "multipart/form-data; boundary=" + "b" * 100}, PART),
    (FORM, b"&".join([b"a=b"] * 100_000)),
    (FORM, b"a=%ff"),
    (FORM, b"%ff=a"),
], ids=[
    "too many parts", "malformed parts", "too many headers of a part", "a long header of a part",
    "no boundary", "no end", "no boundary named", "a long boundary", "too many fields",
    "a value of no UTF-8", "a name of no UTF-8",
])  # fmt: skip
def test_a_bad_body_is_answered_400_with_one_short_line(ask, caplog, headers, body):
    before = set(Path(tempfile.gettempdir()).iterdir())
    assert ask("POST", headers=headers, body=body).status == 400
    assert len(caplog.records) == 1
    assert len(caplog.records[0].getMessage()) < 600
    assert caplog.records[0].exc_info is None
    left = set(Path(tempfile.gettempdir()).iterdir()) - before
    assert not [path for path in left if "eyewall" in path.name or "upload" in path.name]


@pytest.mark.parametrize("value", [
    'a="' + "\\" * 30_000, 'a="' + "\\012" * 8_000 + '"', ";" * 30_000, "a=b; " * 6_000, "=" * 30_000,
])  # fmt: skip
def test_hostile_cookies_are_answered_and_not_logged(ask, caplog, value):
    assert ask(headers={"Cookie": value}).status == 200
    assert not caplog.records


@pytest.mark.parametrize("name", ["Accept-Language", "Accept-Encoding", "Range", "If-None-Match"])
@pytest.mark.parametrize("value", [",".join(["a"] * 10_000), ";q=" * 10_000, "-" * 30_000])
def test_hostile_fields_are_answered_and_not_logged(ask, caplog, name, value):
    assert ask(headers={name: value}).status == 200
    assert ask(target="/static/a.txt", headers={name: value}).status in {200, 304, 416}
    assert not caplog.records


def test_many_fields_of_one_name_are_joined_in_linear_time():
    headers = HTTPHeaders()
    for number in range(100_000):
        headers.add("X", str(number))
    assert len(headers["X"].split(",")) == 100_000


@pytest.mark.parametrize("attributes", [
    {"path": "/; Domain=evil.example"}, {"domain": "a\r\nX: y"}, {"samesite": "Lax; Secure"},
    {"path": "\x00"}, {"samesite": "Sometimes"},
])  # fmt: skip
def test_attributes_of_cookies_are_checked(attributes):
    with pytest.raises(ValueError):
        format_set_cookie("name", "value", **attributes)


@pytest.mark.parametrize(
    "reason", ["a%0d%0aX-Injected:%20yes", "a%0aX: y", "a%0dX: y", "a%e2%80%a8b"]
)
def test_a_reason_injects_no_header(ask, reason):
    response = ask(target=f"/reason?reason={reason.replace(' ', '%20')}")
    assert response.status in {400, 500}
    assert "X-Injected" not in response.headers
    assert "X" not in response.headers


def test_a_reason_injects_no_script(ask):
    response = ask(target="/reflect")
    assert response.status == 400
    assert "<script>" not in response.text


@pytest.mark.parametrize("path", [
    "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "..%5csecret.txt",
    "%252e%252e%252fsecret.txt", "..%c0%afsecret.txt", "a.txt/../../secret.txt", "%2fetc/passwd",
    "//etc/passwd", "..;/secret.txt", "a.txt%00.png", "....//secret.txt", "%ef%bc%8e%ef%bc%8e/secret.txt",
])  # fmt: skip
def test_no_encoding_leads_out_of_the_static_folder(ask, path):
    response = ask(target=f"/static/{path}")
    assert response.status in {400, 403, 404}
    assert "outside" not in response.text


@pytest.mark.parametrize("target", [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "///evil.example", "http://evil.example",
    "https:evil.example", "javascript:alert(1)", "\t//evil.example", "/\t/evil.example", "//evil.example/..",
    "http://example.com@evil.example", "/%0d%0aX: y\r\n",
])  # fmt: skip
def test_a_redirect_to_elsewhere_is_not_safe(target):
    assert not is_safe_redirect(target, "example.com")


def test_signatures_are_compared_in_constant_time(monkeypatch):
    """Every refusal of a wrong signature has gone through `hmac.compare_digest`."""
    compared = []

    def recording(a, b):
        compared.append((a, b))
        return False

    for version in (1, 2):
        signed = create_signed_value("secret", "name", "value", version=version)
        assert decode_signed_value("secret", "name", signed, min_version=1) == b"value"
    monkeypatch.setattr(hmac, "compare_digest", recording)
    for version in (1, 2):
        signed = create_signed_value("secret", "name", "value", version=version)
        assert decode_signed_value("secret", "name", signed, min_version=1) is None
    assert len(compared) == 2
