"""Static files through the real engine."""

import asyncio
import gzip
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.testing.client import TestClient
from eyewall.web import Application, RequestHandler
from eyewall.web.static import StaticFileHandler
from eyewall.web.static.paths import OutsideError, folder_redirect, resolve
from tests.conftest import Live

LARGE = os.urandom(3 * 1024 * 1024)


class Links(RequestHandler):
    def get(self):
        self.write(self.static_url("a.txt"))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "static"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("0123456789")
    (root / "empty.txt").write_text("")
    (root / "sub" / "index.html").write_text("<index>")
    (root / "large.bin").write_bytes(LARGE)
    (root / "app.js").write_text("plain" * 100)
    (root / "app.js.gz").write_bytes(gzip.compress(b"plain" * 100))
    (root / ".secret").write_text("hidden")
    (root / "ü b.txt").write_text("name")
    (tmp_path / "outside.txt").write_text("outside")
    (root / "out").symlink_to(tmp_path / "outside.txt")
    (root / "in").symlink_to(root / "a.txt")
    (root / "robots.txt").write_text("robots")
    os.utime(root / "a.txt", (1_000_000_000, 1_000_000_000))
    return root


@pytest.fixture
def ask(run, folder):
    def ask(target, method="GET", handler=StaticFileHandler, **headers):
        async def main():
            app = Application(
                [("/links", Links), (r"/files/(.*)", handler,
                  {"path": folder, "default_filename": "index.html"})],
                static_path=str(folder), access_log=False,
            )  # fmt: skip
            live = Live(app)
            peer = await live.connect()
            lines = [f"{method} {target} HTTP/1.1", "Host: h"]
            lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
            peer.send("\r\n".join([*lines, "", ""]).encode())
            answer = await peer.answer(head=method == "HEAD")
            await peer.close()
            live.close()
            return answer

        return run(main)

    return ask


def test_a_file_comes_with_its_headers(ask):
    status, headers, body = ask("/static/a.txt")
    assert (status, body) == (200, b"0123456789")
    assert headers["content-type"] == "text/plain; charset=UTF-8"
    assert headers["last-modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-length"] == "10"
    assert headers["etag"].startswith('"')
    assert "cache-control" not in headers
    status, head, body = ask("/static/a.txt", "HEAD")
    assert (status, head["content-length"], head["etag"]) == (200, "10", headers["etag"])
    assert ask("/static/empty.txt")[::2] == (200, b"")
    assert ask("/static/%C3%BC%20b.txt")[2] == b"name"
    assert ask("/robots.txt")[2] == b"robots"


def test_parts_of_a_file(ask):
    status, headers, body = ask("/static/a.txt", Range="bytes=2-4")
    assert (status, body, headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert ask("/static/a.txt", Range="bytes=-2")[::2] == (206, b"89")
    assert ask("/static/a.txt", Range="bytes=0-")[::2] == (200, b"0123456789")
    assert ask("/static/a.txt", Range="bytes=0-1,4-5")[::2] == (200, b"0123456789")
    status, headers, body = ask("/static/a.txt", Range="bytes=10-")
    assert (status, headers["content-range"], body) == (416, "bytes */10", b"")
    assert ask("/static/a.txt", Range="bytes=0-1", If_Range='"other"')[0] == 200


def test_conditions(ask):
    _, headers, _ = ask("/static/a.txt")
    status, unchanged, body = ask("/static/a.txt", If_None_Match=headers["etag"])
    assert (status, body, unchanged["etag"]) == (304, b"", headers["etag"])
    assert ask("/static/a.txt", If_Modified_Since=headers["last-modified"])[0] == 304
    assert ask("/static/a.txt", If_Match='"other"')[0] == 412


def test_large_files_are_streamed_whole_and_in_parts(ask):
    status, headers, body = ask("/static/large.bin")
    assert (status, headers["content-length"]) == (200, str(len(LARGE)))
    assert body == LARGE
    assert ask("/static/large.bin", Range="bytes=1000000-2999999")[2] == LARGE[1000000:3000000]


def test_a_very_large_file_is_hashed_once_for_all_who_ask_at_the_same_time(run, tmp_path):
    size = 5 * 1024 * 1024
    (tmp_path / "huge.bin").write_bytes(bytes(size))
    (tmp_path / "small.txt").write_text("small")

    async def main():
        app = Application(static_path=str(tmp_path), access_log=False)
        async with TestClient(app) as client:
            asked = [client.request("HEAD", "/static/huge.bin") for _ in range(4)]
            answers = await asyncio.gather(*asked, client.get("/static/small.txt"))
            whole = await client.get("/static/huge.bin")
            return answers[:4], answers[4], whole

    heads, small, whole = run(main)
    assert {answer.headers["Etag"] for answer in heads} == {whole.headers["Etag"]}
    assert {answer.headers["Content-Length"] for answer in heads} == {str(size)}
    assert whole.body == bytes(size)
    assert small.body == b"small"


def test_a_versioned_address_may_be_cached_for_long(ask):
    url = ask("/links")[2].decode()
    assert url.startswith("/static/a.txt?v=")
    _, headers, _ = ask(url)
    assert headers["cache-control"] == "max-age=315360000, immutable"


def test_a_compressed_sibling_is_sent_to_those_who_take_it(ask):
    _, headers, body = ask("/static/app.js", Accept_Encoding="br, gzip")
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert gzip.decompress(body) == b"plain" * 100
    _, plain, body = ask("/static/app.js", Accept_Encoding="gzip;q=0")
    assert "content-encoding" not in plain
    assert plain["etag"] != headers["etag"]


def test_folders(ask):
    assert ask("/files/sub/")[2] == b"<index>"
    status, headers, _ = ask("/files/sub?x=1")
    assert (status, headers["location"]) == (301, "/files/sub/?x=1")
    assert ask("/static/sub/")[0] == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nothing.txt", 404),
        ("../outside.txt", 403),
        ("%2e%2e/outside.txt", 403),
        ("..%2foutside.txt", 403),
        ("..%5coutside.txt", 403),
        ("sub/../../outside.txt", 403),
        ("%00", 403),
        ("a.txt%00.html", 403),
        ("/etc/passwd", 404),
        ("%2fetc%2fpasswd", 404),
        (".secret", 404),
        ("out", 403),
        ("a.txt/", 200),
        ("%ff", 400),
        ("x" * 5000, 404),
    ],
)
def test_there_is_no_way_out(ask, path, status, caplog):
    assert ask(f"/static/{path}")[0] == status
    assert not any(record.exc_info for record in caplog.records)


def test_links_by_policy(ask):
    class Always(StaticFileHandler):
        follow_symlinks = "always"

    class Never(StaticFileHandler):
        follow_symlinks = "never"

    assert ask("/files/in")[0] == 200
    assert ask("/files/out", handler=Always)[2] == b"outside"
    assert ask("/files/in", handler=Never)[0] == 403
    assert ask("/files/a.txt", handler=Never)[0] == 200


def test_content_from_elsewhere(ask):
    class Elsewhere(StaticFileHandler):
        @classmethod
        def get_absolute_path(cls, root, path):
            return path

        def validate_absolute_path(self, root, absolute_path):
            return absolute_path

        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            return f"made {abspath}".encode()[start:end]

        @classmethod
        def get_content_version(cls, abspath):
            return "7"

        def get_content_size(self):
            return len(f"made {self.absolute_path}")

        def get_modified_time(self):
            return None

    status, headers, body = ask("/files/this", handler=Elsewhere)
    assert (status, headers["etag"], body) == (200, '"7"', b"made this")
    assert ask("/files/this", handler=Elsewhere, Range="bytes=5-")[2] == b"this"


@given(st.text())
def test_a_path_stays_below_the_folder_or_is_refused(path):
    try:
        found = resolve("/srv/files", path)
    except OutsideError:
        return
    assert os.path.normpath(found) == found.rstrip("/")
    assert found == "/srv/files" or found.startswith("/srv/files/")


@given(st.text())
def test_a_folders_redirect_stays_on_this_host(path):
    target = folder_redirect(path, "")
    assert target.startswith("/")
    assert not target.startswith("//")
