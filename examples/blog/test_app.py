"""The blog over HTTP: what a browser's page does not send."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest
from tests.support import ROOT, eyewall

COMMAND = ("run", "app:app", "--app-dir", str(ROOT / "examples" / "blog"), "--no-access-log")
PNG = b"\x89PNG\r\n\x1a\n and more"


class Visitor:
    """Somebody with a browser's cookies, who follows redirects."""

    def __init__(self, url):
        self.url = url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def get(self, path):
        with self._opener.open(self.url + path, timeout=30) as answer:
            return answer.read().decode()

    def post(self, path, form_at=None, **fields):
        """Send a form as the page `form_at` has it."""
        page = self.get(form_at or path)
        fields["_xsrf"] = re.search(r'name="_xsrf" value="([^"]+)"', page)[1]
        kind, body = encode(fields)
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        with self._opener.open(request, timeout=30) as answer:
            return answer.read().decode()

    def sign_up(self, name):
        return self.post("/sign-up", name=name, password="a long password")


def encode(fields):
    if not any(isinstance(value, bytes) for value in fields.values()):
        return "application/x-www-form-urlencoded", urllib.parse.urlencode(fields).encode()
    lines = []
    for name, value in fields.items():
        more = '; filename="picture"' if isinstance(value, bytes) else ""
        lines.append(
            f'--xyz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        )
        lines.append((value if isinstance(value, bytes) else value.encode()) + b"\r\n")
    return "multipart/form-data; boundary=xyz", b"".join(lines) + b"--xyz--\r\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    environment = {"BLOG_DATA": str(tmp_path_factory.mktemp("blog"))}
    with eyewall(*COMMAND, "--port", "0", env=environment) as server:
        yield server.url()


def test_entries_are_paged_from_the_newest(url):
    ada = Visitor(url)
    assert "Welcome, Ada" in ada.sign_up("Ada")
    for number in range(8):
        ada.post("/write", title=f"Page test {number}", text="text", picture=b"")
    first = ada.get("/")
    assert re.findall(r"Page test (\d)</a>", first) == list("76543")
    older = re.search(r'href="(/\?before=\d+)"', first)[1]
    assert re.findall(r"Page test (\d)</a>", ada.get(older)) == list("210")


def test_two_entries_of_one_title_have_two_addresses(url):
    ben = Visitor(url)
    ben.sign_up("Ben")
    for text in ("first", "second"):
        ben.post("/write", title="Twice ☂", text=text, picture=PNG)
    assert "first" in ben.get("/entries/twice")
    assert "second" in ben.get("/entries/twice-2")
    picture = re.search(r'src="(/pictures/[^"]+\.png)"', ben.get("/entries/twice"))[1]
    with urllib.request.urlopen(url + picture, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.read() == PNG


def refused(status, ask, *args, **kwargs):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(*args, **kwargs)
    assert caught.value.code == status
    caught.value.close()


def test_nobody_changes_what_somebody_else_wrote(url):
    cleo, dan = Visitor(url), Visitor(url)
    cleo.sign_up("Cleo")
    dan.sign_up("Dan")
    cleo.post("/write", title="By Cleo", text="text", picture=b"")
    refused(403, dan.get, "/entries/by-cleo/write")
    refused(403, dan.post, "/entries/by-cleo/write", "/write", title="Mine", text="x", picture=b"")
    refused(403, dan.post, "/entries/by-cleo/remove", "/write")
    refused(403, Visitor(url).post, "/entries/by-cleo/remove", "/login")
    assert "By Cleo" in dan.get("/entries/by-cleo")


def test_bad_input_is_refused(url):
    eve = Visitor(url)
    refused(403, eve.post, "/write", "/login", title="t", text="x", picture=b"")
    eve.sign_up("Eve")
    refused(415, eve.post, "/write", title="t", text="x", picture=b"<svg onload=alert(1)>")
    refused(400, eve.post, "/write", title="t" * 201, text="x", picture=b"")
    refused(413, eve.post, "/write", title="t", text="x", picture=b"\0" * 5_000_000)
    refused(400, eve.get, "/?before=x")
    refused(404, eve.get, "/entries/nothing")
    assert "already" in Visitor(url).sign_up("EVE")
    assert "at least 8" in Visitor(url).post("/sign-up", name="Fay", password="short")
    bare = urllib.request.Request(url + "/login", b"name=Eve&password=x")
    refused(403, urllib.request.urlopen, bare, timeout=30)


def test_the_way_back_after_a_login_stays_on_the_site(url):
    Visitor(url).sign_up("Gus")
    assert "Welcome" in Visitor(url).post("/login", name="Gus", password="a long password")
    elsewhere = "/login?next=" + urllib.parse.quote("//evil.example/")
    assert "Welcome" in Visitor(url).post(elsewhere, name="Gus", password="a long password")
