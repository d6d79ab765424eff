"""What providers answer is read within limits, and told without secrets."""

import io
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.client import HTTPClientError, HTTPRequest, HTTPResponse
from eyewall.http.headers import HTTPHeaders
from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.provider_client import read_form, read_object, read_value, refused, url_with

NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(NAMES, TEXT), st.booleans())
def test_parameters_come_after_those_that_are_there(parameters, queried):
    url = url_with("https://p.example/a" + ("?x=1" if queried else ""), parameters)
    had = [("x", "1")] if queried else []
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == had + list(parameters.items())
    assert urlsplit(url).path == "/a"


def test_parameters_that_are_none_are_left_out_and_a_fragment_stays_last():
    assert url_with("/a", {"x": None}) == "/a"
    assert url_with("/a#f", {"x": 1}) == "/a?x=1#f"


@given(st.dictionaries(NAMES, TEXT, max_size=90))
def test_forms_come_back(fields):
    assert read_form(urlencode(fields).encode(), "it") == fields


@given(st.binary(max_size=300))
def test_no_bytes_are_another_error(body):
    for read in (read_form, read_value, read_object):
        failure = None
        try:
            read(body, "it")
        except AuthError as error:
            failure = error
        assert failure is None or (failure.status_code == 502 and len(failure.message) < 100)


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 50_000, b"x" * (1 << 20) + b"x", b"[1]", b"null", b"\xff", b""],
)
def test_hostile_json_is_refused_shortly(body):
    with pytest.raises(AuthError) as caught:
        read_object(body, "it")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("body", [b"&".join([b"a=b"] * 200), b"a=" + b"x" * (1 << 20), b"\xe9=1"])
def test_hostile_forms_are_refused(body):
    with pytest.raises(AuthError):
        read_form(body, "it")


def failed(code, body):
    request = HTTPRequest("https://p.example/", method="POST", body="client_secret=hidden")
    response = HTTPResponse(request, code, HTTPHeaders(), io.BytesIO(body))
    return refused(HTTPClientError(code, "No", response), "it")


@pytest.mark.parametrize(
    ("code", "body", "status", "message"),
    [
        (400, b'{"error": "invalid_grant"}', 403, "it answered 400: invalid_grant"),
        (401, b'{"error_description": "hidden"}', 403, "it answered 401"),
        (400, b'{"error": "two\\nlines"}', 403, "it answered 400"),
        (400, b'["error"]', 403, "it answered 400"),
        (400, b"hidden", 403, "it answered 400"),
        (503, b"", 502, "it answered 503"),
        (302, b"", 502, "it answered 302"),
    ],
)
def test_a_refusal_tells_the_code_and_nothing_else(code, body, status, message):
    error = failed(code, body)
    assert (error.status_code, error.message) == (status, message)


def test_a_long_word_is_cut_and_no_answer_is_a_failure_of_the_provider():
    assert len(failed(400, b'{"error": "%s"}' % (b"x" * 999)).message) < 100
    assert refused(HTTPClientError(599, "timed out"), "it").status_code == 502
