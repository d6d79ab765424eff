"""The Django site over HTTP and WebSocket, served by `manage.py runeyewall` and its workers."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest
from tests.support import ROOT, Process
from websockets.sync.client import connect

SITE = ROOT / "examples" / "django_site"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    names = {
        "SITE_DATA": str(tmp_path_factory.mktemp("site")),
        "DJANGO_SUPERUSER_PASSWORD": "a long password",
        "DEBUG": "0",
    }
    for command in (
        ("migrate", "--verbosity", "0"),
        ("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com"),
        ("collectstatic", "--noinput", "--verbosity", "0"),
    ):
        manage = [sys.executable, "manage.py", *command]
        subprocess.run(manage, cwd=SITE, env={**os.environ, **names}, check=True)
    return names


class Server(Process):
    """`manage.py runeyewall` instead of the command."""

    def __init__(self, *args, env):
        self.popen = subprocess.Popen(
            [sys.executable, "manage.py", "runeyewall", *args],
            cwd=SITE,
            env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = []


@pytest.fixture(scope="module", params=[(), ("--workers", "2")], ids=["alone", "workers"])
def url(request, environment):
    server = Server("127.0.0.1:0", *request.param, env=environment)
    try:
        yield server.url()
    finally:
        assert server.stop() == 0


class Admin:
    """Somebody who is logged in to the admin."""

    def __init__(self, url):
        self.url, self.jar = url, CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.post("/admin/login/?next=/admin/", username="ada", password="a long password")

    def post(self, path, **fields):
        with self.opener.open(self.url + path, timeout=30) as answer:
            page = answer.read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(self.url + path, body, {"Referer": self.url + path})
        with self.opener.open(request, timeout=30) as answer:
            return answer.read().decode()

    def cookies(self):
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)


def test_a_note_saved_in_the_admin_reaches_open_pages(url):
    admin = Admin(url)
    address = url.replace("http", "ws") + "/live/notes"
    with connect(address) as guest, connect(address, additional_headers={"Cookie": admin.cookies()}) as ada:  # fmt: skip
        assert json.loads(guest.recv(20)) == {"user": None}
        assert json.loads(ada.recv(20)) == {"user": "ada"}
        # Others have saved before: only what comes from now on is told.
        assert "Change note" in admin.post(
            "/admin/notes/note/add/", text="Calm & clear", _continue="1"
        )
        told = json.loads(guest.recv(20))
        assert told["saved"]["text"] == "Calm & clear"
        assert json.loads(ada.recv(20)) == told
        admin.post(f"/admin/notes/note/{told['saved']['id']}/delete/", post="yes")
        assert json.loads(guest.recv(20)) == {"deleted": told["saved"]["id"]}


def test_pages_and_static_files_are_served(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert "The board" in answer.read().decode()
    with urllib.request.urlopen(f"{url}/static/admin/css/base.css", timeout=30) as answer:
        assert answer.headers["Etag"]
        assert b"--primary" in answer.read()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{url}/static/nothing.css", timeout=30)


def test_an_address_that_is_none_is_said(environment):
    server = Server("nowhere:port", env=environment)
    server.wait_for(r"'nowhere:port' is not \[host:\]port")
    assert server.end() != 0
