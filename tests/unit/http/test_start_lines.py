"""First lines of messages, URLs with queries, hosts, header lines, exchanges in memory."""

import datetime
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.dates import format_date
from eyewall.http.errors import HTTPInputError
from eyewall.http.headers import HTTPHeaders
from eyewall.http.memory import MemoryExchange
from eyewall.http.start_lines import parse_request_start_line, parse_response_start_line
from eyewall.http.urls import qs_to_qsl, split_host_and_port, url_concat


def test_lines_have_three_parts():
    assert parse_request_start_line("GET /a?b HTTP/1.1") == ("GET", "/a?b", "HTTP/1.1")
    assert parse_response_start_line("HTTP/1.0 404 Not Found") == ("HTTP/1.0", 404, "Not Found")
    assert parse_response_start_line("HTTP/1.1 200").reason == ""


@pytest.mark.parametrize(
    "line",
    [
        "", "GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/2.0", "GET / HTTP/1.1 ", "G T / HTTP/1.1",
        "GET /a b HTTP/1.1", "GET /\x00 HTTP/1.1", "GET / HTTP/1.1\n", "GET / HTTP/11",
    ],
)  # fmt: skip
def test_other_request_lines_are_malformed(line):
    with pytest.raises(HTTPInputError):
        parse_request_start_line(line)


@given(st.text(max_size=40))
def test_any_line_is_taken_apart_or_refused(line):
    for parse in (parse_request_start_line, parse_response_start_line):
        try:
            parts = parse(line)
        except HTTPInputError:
            continue
        assert " ".join(map(str, parts)).rstrip() == line.rstrip()


@pytest.mark.parametrize(
    "line",
    [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/3.0 200 OK",
        "HTTP/1.1 \uff12\uff10\uff10 OK",
        "x",
    ],
)
def test_other_status_lines_are_malformed(line):
    with pytest.raises(HTTPInputError):
        parse_response_start_line(line)


@pytest.mark.parametrize(
    ("url", "arguments", "whole"),
    [
        ("https://h/p", None, "https://h/p"),
        ("https://h/p", {"a": "1 2"}, "https://h/p?a=1+2"),
        ("https://h/p?x=&y=1#top", [("a", "1"), ("a", "2")], "https://h/p?x=&y=1&a=1&a=2#top"),
        ("/p?", {}, "/p"),
    ],
)
def test_arguments_are_added_to_a_query(url, arguments, whole):
    assert url_concat(url, arguments) == whole


def test_arguments_of_another_kind_are_the_programmers_mistake():
    with pytest.raises(TypeError, match="mapping or pairs"):
        url_concat("/", "a=b")


@pytest.mark.parametrize(
    ("netloc", "parts"),
    [
        ("h:80", ("h", 80)),
        ("h", ("h", None)),
        ("[::1]:8080", ("[::1]", 8080)),
        ("[::1]", ("[::1]", None)),
        ("h:", ("h:", None)),
        (":80", (":80", None)),
        ("h:x", ("h:x", None)),
    ],
)
def test_a_port_is_taken_off_a_host(netloc, parts):
    assert split_host_and_port(netloc) == parts


def test_queries_become_pairs_again():
    assert list(qs_to_qsl({"a": ["1", "2"], "b": ["3"]})) == [("a", "1"), ("a", "2"), ("b", "3")]


def test_header_lines_are_read_and_written():
    headers = HTTPHeaders.parse("A: 1\r\nb:2\n\r\na: \t3 \r\n")
    assert list(headers.get_all()) == [("A", "1"), ("A", "3"), ("B", "2")]
    assert HTTPHeaders.parse(str(headers)) == headers


@pytest.mark.parametrize("line", [" folded", "\tfolded", "no colon", "bad name: x", "a: b\x00c"])
def test_malformed_header_lines_are_refused(line):
    with pytest.raises(HTTPInputError):
        HTTPHeaders().parse_line(line)


def test_headers_take_bytes_and_lists():
    headers = HTTPHeaders({"A": ["1", "2"]}, b="3")
    headers["C"] = b"4"
    headers.add("A", b"\xe9")
    assert headers.get_list("a") == ["1", "2", "é"]
    assert headers["c"] == "4"


def test_dates_come_from_every_form_of_a_time():
    text = "Sun, 27 Jan 2013 18:43:20 GMT"
    moment = datetime.datetime(2013, 1, 27, 18, 43, 20, tzinfo=datetime.UTC)
    for form in (1359312200, time.gmtime(1359312200), tuple(time.gmtime(1359312200)), moment):
        assert format_date(form) == text


def test_an_exchange_in_memory_keeps_its_answer():
    done = []
    exchange = MemoryExchange(
        "POST", "/a?b=c", [("Host", "h"), ("X", "1"), ("x", "2")], b"body",
        on_answer=lambda: done.append(exchange.status),
    )  # fmt: skip
    assert (exchange.path, exchange.query, exchange.host) == ("/a", "b=c", "h")
    assert exchange.header("x") == "1, 2"
    assert exchange.read_all(print) == b"body"
    exchange.start(201, {"A": "b"}, "Made")
    assert exchange.write(b"12")
    exchange.write(b"3")
    exchange.end()
    assert (exchange.status, exchange.reason, exchange.answer_body) == (201, "Made", b"123")
    assert exchange.answer_headers == [("A", "b")]
    assert done == [201]
    with pytest.raises(RuntimeError, match="already"):
        exchange.respond(200, {}, b"")
