"""Answers compressed on their way out, through the real engine."""

import asyncio

import pytest

from eyewall import Application, RequestHandler
from eyewall.base.errors import ConfigurationError
from eyewall.http.encoding import available_codings, decode, decoder
from eyewall.web.compression import Compression, GZipContentEncoding, is_compressible
from tests.conftest import Live
from tests.web.test_handlers import ask

PAGE = b"<p>All work and no play makes Jack a dull boy.</p>\n" * 100
GZIP = "Accept-Encoding: gzip\r\n"


def app_of(policy=None, **members):
    one = type("Page", (RequestHandler,), members)
    transforms = [policy or Compression(encodings=("gzip",))]
    return Application([(r"/.*", one)], transforms=transforms, access_log=False)


def page(self):
    self.write(PAGE)


def test_a_page_is_compressed_with_its_length_tag_and_vary_corrected(run):
    plain = ask(run, app_of(get=page))
    status, headers, body = ask(run, app_of(get=page), headers=GZIP)
    assert status == 200
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == plain[1]["vary"] == "Accept-Encoding"
    assert int(headers["content-length"]) == len(body) < len(PAGE) // 10
    assert headers["etag"] == f"W/{plain[1]['etag']}"
    assert decode("gzip", body, len(PAGE)) == PAGE
    assert plain[2] == PAGE
    assert "content-encoding" not in plain[1]


def test_head_announces_what_get_sends(run):
    app = app_of(get=page, head=page)
    get, head = ask(run, app, headers=GZIP), ask(run, app, headers=GZIP, method="HEAD")
    for name in ("content-length", "content-encoding", "etag", "vary"):
        assert head[1][name] == get[1][name]


@pytest.mark.parametrize("coding", available_codings())
def test_every_coding_works_whole_and_streamed(run, coding):
    async def stream(self):
        for _ in range(3):
            self.write(PAGE)
            await self.flush()

    wants = f"Accept-Encoding: {coding}\r\n"
    policy = Compression(encodings=(coding,))
    for get, times in ((page, 1), (stream, 3)):
        _, headers, body = ask(run, app_of(policy, get=get), headers=wants)
        assert headers["content-encoding"] == coding
        assert decode(coding, body, len(PAGE) * times) == PAGE * times


def test_the_server_prefers_what_the_client_weighs_the_same(run):
    policy = Compression(encodings=("deflate", "gzip"))
    _, headers, _ = ask(run, app_of(policy, get=page), headers="Accept-Encoding: gzip, deflate\r\n")
    assert headers["content-encoding"] == "deflate"


def test_events_arrive_as_they_are_flushed(run):
    more = []

    async def get(self):
        self.set_header("Content-Type", "text/event-stream")
        gate = asyncio.Event()
        more.append(gate)
        self.write("data: one\n\n")
        self.flush()
        await gate.wait()
        self.write("data: two\n\n")

    async def main():
        live = Live(app_of(get=get))
        peer = await live.connect()
        peer.send(f"GET / HTTP/1.1\r\nHost: h\r\n{GZIP}\r\n".encode())
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"Content-Encoding: gzip" in head
        into = decoder("gzip", 100)
        text = b""
        while text != b"data: one\n\n":
            size = int(await peer.reader.readuntil(b"\r\n"), 16)
            text += into.decompress(await peer.reader.readexactly(size))
            await peer.reader.readexactly(2)
        more[0].set()
        assert into.decompress(await peer.chunks({})) == b"data: two\n\n"
        into.finish()
        await peer.close()
        live.close()

    run(main)


def answering(**fields):
    def get(self):
        self.set_status(fields.pop("status", 200))
        for name, value in list(fields.items()):
            self.set_header(name.replace("_", "-"), value)
        self.write(PAGE)

    return get


@pytest.mark.parametrize(
    "fields",
    [
        {"Content_Type": "image/png"},
        {"Content_Encoding": "br"},
        {"Cache_Control": "public, No-Transform"},
        {"Content_Range": "bytes 0-5099/9000", "status": 206},
    ],
)
def test_what_must_or_need_not_be_changed_goes_as_it_is(run, fields):
    _, headers, body = ask(run, app_of(get=answering(**fields)), headers=GZIP)
    assert body == PAGE
    assert headers.get("content-encoding") == fields.get("Content_Encoding")
    assert "vary" not in headers


def test_small_bodies_go_as_they_are(run):
    _, headers, body = ask(run, app_of(get=lambda self: self.write("x" * 1023)), headers=GZIP)
    assert body == b"x" * 1023
    assert "content-encoding" not in headers
    policy = Compression(min_bytes=10, encodings=("gzip",))
    _, headers, _ = ask(run, app_of(policy, get=lambda self: self.write("x" * 99)), headers=GZIP)
    assert headers["content-encoding"] == "gzip"


def test_what_compression_makes_larger_goes_as_it_is(run):
    noise = bytes((n * n * 7 + n // 3) % 256 for n in range(30))
    policy = Compression(min_bytes=0, encodings=("gzip",))
    _, headers, body = ask(run, app_of(policy, get=lambda self: self.write(noise)), headers=GZIP)
    assert body == noise
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("wants", ["", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n"])
def test_clients_that_do_not_want_it_get_the_page(run, wants):
    _, headers, body = ask(run, app_of(get=page), headers=wants)
    assert body == PAGE
    assert headers["vary"] == "Accept-Encoding"


def test_vary_is_added_to_what_is_there(run):
    def get(self):
        for value in self.get_arguments("vary"):
            self.add_header("Vary", value)
        self.write(PAGE)

    app = app_of(get=get)
    for query, vary in [
        ("vary=Accept-Language", "Accept-Language, Accept-Encoding"),
        ("vary=Accept-Language&vary=Cookie", "Accept-Language, Cookie, Accept-Encoding"),
        ("vary=accept-encoding", "accept-encoding"),
        ("vary=*", "*"),
    ]:
        assert ask(run, app, f"/?{query}", headers=GZIP)[1]["vary"] == vary


def test_a_compressed_page_is_not_sent_again_when_its_tag_is_known(run):
    app = app_of(get=page)
    tag = ask(run, app, headers=GZIP)[1]["etag"]
    status, headers, body = ask(run, app, headers=f"{GZIP}If-None-Match: {tag}\r\n")
    assert (status, body) == (304, b"")
    assert headers["etag"] == tag
    assert headers["vary"] == "Accept-Encoding"


def test_an_announced_length_is_dropped_when_a_stream_is_compressed(run):
    async def get(self):
        self.set_header("Content-Length", 2 * len(PAGE))
        self.write(PAGE)
        await self.flush()
        self.write(PAGE)

    _, headers, body = ask(run, app_of(get=get), headers=GZIP)
    assert headers["transfer-encoding"] == "chunked"
    assert decode("gzip", body, 2 * len(PAGE)) == PAGE * 2
    assert ask(run, app_of(get=get))[1]["content-length"] == str(2 * len(PAGE))


def test_a_posted_form_is_read_as_without_compression(run):
    def post(self):
        self.write(self.get_body_argument("name") * 1000)

    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    _, headers, body = ask(
        run, app_of(post=post), method="POST", headers=form + GZIP, body=b"name=ann"
    )
    assert decode("gzip", body, 3000) == b"ann" * 1000


def test_the_old_transform_compresses_with_gzip(run):
    def get(self):
        self.write("hello world" + "!" * GZipContentEncoding.MIN_LENGTH)

    one = type("Page", (RequestHandler,), {"get": get})
    app = Application([("/", one)], transforms=[GZipContentEncoding], access_log=False)
    _, headers, body = ask(run, app, headers="Accept-Encoding: br, gzip\r\n")
    assert headers["content-encoding"] == "gzip"
    assert decode("gzip", body, 2000).startswith(b"hello world!")


def test_the_setting_is_read_once_and_refuses_what_it_does_not_know():
    assert Compression.from_setting(False) is None
    assert Compression.from_setting(None) is None
    assert "gzip" in Compression.from_setting(True).encodings
    assert "deflate" not in Compression.from_setting(True).encodings
    assert Compression.from_setting({"encodings": ["gzip"], "level": 9}).encodings == ("gzip",)
    with pytest.raises(ConfigurationError, match="compress_response"):
        Compression.from_setting({"speed": 3})
    with pytest.raises(ConfigurationError, match="'rot13' is none of br, zstd, gzip, deflate"):
        Compression(encodings=["rot13"])


def test_types_can_be_chosen(run):
    policy = Compression(types=["text/*", "image/png"], encodings=("gzip",))
    app = app_of(policy, get=answering(Content_Type="image/png"))
    assert ask(run, app, headers=GZIP)[1]["content-encoding"] == "gzip"
    app = app_of(policy, get=answering(Content_Type="application/json"))
    assert "content-encoding" not in ask(run, app, headers=GZIP)[1]


def test_types_that_are_compressed_already_are_known():
    for kind in ("text/css", "APPLICATION/json; charset=utf-8", "image/svg+xml", "a/b+json"):
        assert is_compressible(kind)
    for kind in (None, "", "image/jpeg", "video/mp4", "font/woff2", "application/zip"):
        assert not is_compressible(kind)


def test_an_answer_outside_of_class_handlers_is_compressed_in_one_call():
    policy = Compression(encodings=("gzip",))
    given = {"Content-Type": "text/plain", "Content-Length": str(len(PAGE))}
    headers, body = policy.whole("gzip", 200, given, PAGE)
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Length"] == str(len(body))
    assert policy.whole("gzip", 204, {}, b"") == ({}, b"")
    chosen = policy.choose("gzip", "text/plain", None, {})
    assert chosen.coding == "gzip"
    assert policy.choose("gzip", "text/plain", 100, {}) is None
    assert policy.choose("br", "text/plain", None, {}) is None


def test_the_setting_compresses_classes_and_functions(run):
    class Page(RequestHandler):
        get = page

    routes = [("/", Page), ("/f", lambda request: PAGE.decode())]
    app = Application(routes, compress_response=True, access_log=False)
    for target in ("/", "/f"):
        _, headers, body = ask(run, app, target, headers=GZIP)
        assert headers["content-encoding"] == "gzip"
        assert decode("gzip", body, len(PAGE)) == PAGE
