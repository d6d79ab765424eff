"""`eyewall publish` and `eyewall tail`, against a running server and against a backplane."""

import json
import subprocess
import sys
import textwrap

import pytest
from websockets.sync.client import connect

from tests.support import eyewall

APP = """
    from eyewall.realtime.live import Live
    from eyewall.web import Application
    live = Live()
    live.hub.retain("news/*", count=10)

    @live.rule("**")
    def anybody(user, action, topic):
        return True

    app = Application(live.routes())
"""


def command(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "eyewall", *args],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


@pytest.fixture
def server(tmp_path):
    (tmp_path / "app.py").write_text(textwrap.dedent(APP))
    control = str(tmp_path / "control")
    with eyewall(
        "run", "app:app", "--port", "0", "--workers", "2", "--control", control, cwd=tmp_path
    ) as process:
        yield process.url(), control


def test_a_message_from_the_command_line_reaches_pages_of_all_workers(server):
    url, control = server
    address = url.replace("http", "ws") + "/live"
    with connect(address) as one, connect(address) as two, connect(address) as three:
        for page in (one, two, three):
            page.send(json.dumps({"do": "subscribe", "n": 1, "topic": "news/a"}))
            assert json.loads(page.recv(20))["ok"] == 1
        done = command("publish", "news/a", '{"text": "hi ☕"}', "--control", control)
        assert done.returncode == 0, done.stderr
        for page in (one, two, three):
            message = json.loads(page.recv(20))
            assert message["data"] == {"text": "hi ☕"}
            assert message["id"] == done.stdout.strip()


def test_what_pages_publish_is_printed(server):
    url, control = server
    tail = subprocess.Popen(
        [sys.executable, "-m", "eyewall", "tail", "news/*", "--count", "2", "--control", control],
        stdout=subprocess.PIPE,
        text=True,
    )
    with connect(url.replace("http", "ws") + "/live") as page:
        # It may not be listening yet: publish until its first line is there.
        lines = []
        while not lines:
            page.send(json.dumps({"do": "publish", "n": 1, "topic": "news/b", "data": len(lines)}))
            page.recv(20)
            if tail.poll() is not None or _readable(tail.stdout):
                lines.append(json.loads(tail.stdout.readline()))
        page.send(json.dumps({"do": "publish", "n": 1, "topic": "news/c", "data": "last"}))
        rest = [json.loads(line) for line in tail.stdout]
    assert tail.wait(20) == 0
    tail.stdout.close()
    assert {message["topic"] for message in lines + rest} <= {"news/b", "news/c"}
    assert len(lines + rest) == 2


def _readable(file):
    import select

    return bool(select.select([file], [], [], 0.2)[0])


def test_a_backplane_needs_no_server(tmp_path):
    hub = f"sqlite://{tmp_path}/hub.db"
    first = command("publish", "jobs", "-", "--hub", hub, input="[1, 2]")
    assert first.returncode == 0, first.stderr
    assert command("publish", "jobs", "3", "--hub", hub).returncode == 0
    epoch, _, number = first.stdout.strip().rpartition("-")
    tailed = command(
        "tail", "jobs", "--since", f"{epoch}-{int(number) - 1}", "--count", "1", "--hub", hub
    )
    assert tailed.returncode == 0
    assert json.loads(tailed.stdout)["topic"] == "jobs"


@pytest.mark.parametrize(("args", "code", "said"), [
    (("publish", "a//b", "1"), 1, "empty segment"),
    (("publish", "a", "{"), 1, ""),
    (("publish", "*", "1"), 1, "pattern"),
    (("tail", "a", "--since", "x"), 1, ""),
    (("publish", "a", "1", "--hub", "odd:"), 2, "no backplane"),
    (("publish", "a", "1", "--hub", "redis://127.0.0.1:1"), 1, ""),
])  # fmt: skip
def test_mistakes_are_one_line(tmp_path, args, code, said):
    more = () if "--hub" in args else ("--hub", f"sqlite://{tmp_path}/hub.db")
    done = command(*args, *more)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_without_workers_says_what_to_do(tmp_path):
    (tmp_path / "app.py").write_text(textwrap.dedent(APP))
    control = str(tmp_path / "control")
    with eyewall("run", "app:app", "--port", "0", "--control", control, cwd=tmp_path) as process:
        process.url()
        done = command("publish", "a", "1", "--control", control)
    assert done.returncode == 2
    assert "--workers" in done.stderr
