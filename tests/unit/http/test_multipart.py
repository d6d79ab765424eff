"""Multipart bodies: whole and in any pieces, and everything that is wrong with some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.multipart import (
    Data,
    MultipartError,
    MultipartLimits,
    MultipartParser,
    PartBegin,
    PartEnd,
    parse_multipart,
)
from eyewall.http.multipart.headers import parse_part_headers

FIELD = b'Content-Disposition: form-data; name="a"'


def body_of(*parts, boundary=b"b"):
    lines = b"".join(
        b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, head, content) for head, content in parts
    )
    return lines + b"--%s--\r\n" % boundary


def collected(chunks, boundary="b", limits=None):
    """The parts as (name, content), whatever the pieces were."""
    parser = MultipartParser(boundary, limits)
    parts = []
    for chunk in chunks:
        for event in parser.feed(chunk):
            if isinstance(event, PartBegin):
                parts.append([event.headers.name, b"", False])
            elif isinstance(event, Data):
                parts[-1][1] += event.data
            else:
                assert isinstance(event, PartEnd)
                parts[-1][2] = True
    parser.finish()
    assert all(complete for _, _, complete in parts)
    return [(name, content) for name, content, _ in parts]


CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"\r\n", b"--", b"b", b"\r", b"\n", b"-", b"--b", b"\r\n--"]))
    .map(b"".join)
    .filter(lambda content: b"\r\n--b" not in b"\r\n" + content + b"\r\n--b"[:-1]),
).filter(lambda content: b"\r\n--b" not in b"\r\n" + content)


@given(st.lists(CONTENTS, max_size=5), st.data())
def test_any_pieces_give_the_same_parts(contents, data):
    body = (
        b"preamble" + b"\r\n" + body_of(*((FIELD, content) for content in contents)) + b"epilogue"
    )
    expected = [("a", content) for content in contents]
    if not contents:
        body = body_of()
    assert collected([body]) == expected
    assert collected([body[at : at + 1] for at in range(len(body))]) == expected
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert collected(pieces) == expected


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"--b\r\n", b"--b\r\n" + FIELD + b"\r\n\r\n"])
)
def test_soup_is_a_form_or_an_error(soup, before):
    try:
        collected([before + soup])
    except MultipartError as exc:
        assert exc.status in {400, 413}  # noqa: PT017 - most soup is no form


def test_fields_and_files_by_name():
    body = body_of(
        (FIELD, b"1"),
        (FIELD, b"\xff2"),
        (
            b'Content-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/csv',
            b"data",
        ),
        (b'content-disposition:form-data;name=g;filename="C:\\dir\\y.bin"', b"\x00\r\n"),
        (b'Content-Disposition: form-data; name="none"; filename=""', b""),
    )
    fields, files = parse_multipart(body, "b")
    assert fields == {"a": [b"1", b"\xff2"]}
    (first,) = files["f"]
    assert (first.filename, first["body"], first.content_type) == ("x.txt", b"data", "text/csv")
    assert files["g"][0].content_type == "application/octet-stream"
    assert set(files) == {"f", "g"}
    with pytest.raises(AttributeError):
        _ = first.nothing


@pytest.mark.parametrize(
    ("line", "name", "filename", "safe"),
    [
        ('form-data; name="a"; filename="x.txt"', "a", "x.txt", "x.txt"),
        ('form-data; name="a b;c"; filename="q\\"uote.txt"', "a b;c", 'q"uote.txt', "quote.txt"),
        ("form-data; name=a; filename*=UTF-8''na%C3%AFve.txt", "a", "naïve.txt", "naïve.txt"),
        ("form-data; name=a; filename=old; filename*=UTF-8''new", "a", "new", "new"),
        ("form-data; name=a; filename=old; filename*=bogus", "a", "old", "old"),
        ('form-data; name="a"; filename="../../etc/passwd"', "a", "../../etc/passwd", "passwd"),
        ('form-data; name="a"; filename="C:\\x\\y.exe"', "a", "C:\\x\\y.exe", "y.exe"),
        ('form-data; name="a"; filename="..."', "a", "...", "unnamed"),
        ('form-data; name="ä"', "ä", None, "unnamed"),
    ],
)
def test_names_of_fields_and_files(line, name, filename, safe):
    headers = parse_part_headers(f"Content-Disposition: {line}".encode())
    assert (headers.name, headers.filename, headers.safe_name) == (name, filename, safe)


GOOD = body_of((FIELD, b"1"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "ends before"),
        (b"no boundary at all", "ends before"),
        (GOOD[:-4], "ends before"),
        (b"--b\r\n" + FIELD, "ends before"),
        (body_of((b"", b"1")), "no Content-Disposition"),
        (body_of((b"Content-Disposition: attachment; name=a", b"1")), "no Content-Disposition"),
        (body_of((b"Content-Disposition: form-data", b"1")), "no Content-Disposition"),
        (body_of((b"no colon", b"1")), "malformed line"),
        (body_of((b"bad name: x", b"1")), "malformed line"),
        (body_of((FIELD + b"\r\nX: a\nb", b"1")), "Invalid header value"),
        (body_of((FIELD + b'; filename="a\x08b"', b"1")), "Invalid header value"),
        (body_of((FIELD + b"\r\nContent-Transfer-Encoding: base64", b"1")), "Transfer-Encoding"),
        (b"--bx\r\n" + FIELD, "something else"),
        (b"--b" + b" " * 100 + b"\r\n", "something else"),
        (b"--b\r\n" + b"X: " + b"y" * 9000, "header too large"),
        (body_of(*[(FIELD, b"")] * 1001), "too many parts"),
    ],
)
def test_what_is_wrong_is_said(body, message):
    with pytest.raises(MultipartError, match=message):
        collected([body])
    with pytest.raises(MultipartError, match=message):
        collected([body[at : at + 1] for at in range(len(body))])


def test_limits_on_fields_and_files():
    limits = MultipartLimits(field_bytes=3, file_bytes=5)
    head = b'Content-Disposition: form-data; name="f"; filename="x"'
    assert collected([body_of((FIELD, b"123"), (head, b"12345"))], limits=limits)
    for parts in ([(FIELD, b"1234")], [(head, b"123456")]):
        with pytest.raises(MultipartError) as caught:
            collected([body_of(*parts)], limits=limits)
        assert caught.value.status == 413


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb", "ä"])
def test_boundaries_that_are_none(boundary):
    with pytest.raises(MultipartError, match="boundary"):
        MultipartParser(boundary)


@pytest.mark.parametrize("soup", [b"\r\n--", b"\r", b"-", b"\r\n--bbbbbbb", b"\r\n--b "])
def test_hostile_bodies_take_linear_time_and_little_memory(soup):
    parser = MultipartParser("b" * 20)
    parser.feed(b"--" + b"b" * 20 + b"\r\n" + FIELD + b"\r\n\r\n")
    parser._limits = MultipartLimits(field_bytes=1 << 40)
    data = soup * 20_000
    for _ in range(20):
        parser.feed(data)
        assert len(parser._buffer) < 100


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_a_part_may_have_a_header_and_no_body_at_all(end):
    body = b"--b\r\n" + FIELD + b"\r\n" + end + b"\r\n--b--"
    for pieces in ([body], [body[at : at + 1] for at in range(len(body))]):
        assert collected(pieces) == [("a", b"")]
