"""nodecast with a real Redis: two servers, a restart in the middle, nothing lost."""

import json
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest
from tests.support import ROOT, eyewall, require

COMMAND = ("run", "app:make_app", "--app-dir", str(ROOT / "examples" / "nodecast"), "--port", "0")


@pytest.fixture
def environment(tmp_path):
    program = require("redis-server")
    path = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", tmp_path]
    server = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        if "eady to accept connections" in line:
            break
    yield {"REDIS_URL": f"unix://{path}"}
    server.terminate()
    server.wait(20)
    server.stdout.close()


def send(url, **fields):
    body = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(f"{url}/send", body, timeout=30) as answer:
        return json.load(answer)["id"]


def wait(url, first):
    with urllib.request.urlopen(f"{url}/wait?id={first}", timeout=40) as answer:
        return json.load(answer)


class Waiting(threading.Thread):
    """A poll that goes on beside the test."""

    def __init__(self, url, first):
        super().__init__()
        self.url, self.first, self.answer = url, first, None
        self.start()

    def run(self):
        self.answer = wait(self.url, self.first)

    def result(self):
        self.join(40)
        return self.answer


def test_whoever_waits_on_any_server_gets_what_is_sent_to_another(environment):
    with eyewall(*COMMAND, env=environment) as one, eyewall(*COMMAND, env=environment) as two:
        first, second = one.url(), two.url()
        waiting = [Waiting(url, 0) for url in (first, second, first)]
        assert send(first, name="Ada", text="hello <b>") == 0
        for each in waiting:
            answer = each.result()
            assert answer == {"id": 1, "messages": [{"name": "Ada", "text": "hello <b>"}]}
        later = Waiting(second, 1)
        send(first, text="again")
        assert later.result()["messages"] == [{"name": "somebody", "text": "again"}]


def test_a_restart_loses_nothing(environment):
    with eyewall(*COMMAND, env=environment) as server:
        url = server.url()
        for number in range(3):
            assert send(url, text=str(number)) == number
        seen = wait(url, 0)
        server.popen.send_signal(signal.SIGKILL)
        server.popen.wait(20)
    with eyewall(*COMMAND, env=environment) as server:
        url = server.url()
        assert send(url, text="3") == 3
        answer = wait(url, seen["id"] - 1)
        assert [message["text"] for message in answer["messages"]] == ["2", "3"]
        assert wait(url, 0)["id"] == 4


def test_what_makes_no_sense_is_400(environment):
    with eyewall(*COMMAND, env=environment) as server:
        url = server.url()
        for ask in (lambda: wait(url, "x"), lambda: send(url, text=" "), lambda: send(url)):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                ask()


def test_a_server_that_ends_does_not_keep_pages_waiting(environment):
    with eyewall(*COMMAND, env=environment) as server:
        url = server.url()
        send(url, text="0")
        assert wait(url, 0)["id"] == 1
        assert server.stop() == 0
