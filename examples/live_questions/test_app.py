"""The questions over HTTP and WebSocket, without a browser."""

import json
import re
import urllib.request

import pytest
from tests.support import ROOT, eyewall
from websockets.sync.client import connect

COMMAND = ("run", "app:make_app", "--app-dir", str(ROOT / "examples" / "live_questions"))


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    environment = {"QUESTIONS_DATA": str(tmp_path_factory.mktemp("questions"))}
    with eyewall(*COMMAND, "--port", "0", env=environment) as server:
        yield server.url()


def page(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        text = answer.read().decode()
    match = re.search(r'data-since="([^"]+)">(.*?)</script>', text, re.DOTALL)
    return match[1], json.loads(match[2])


def ask(socket, **frame):
    socket.send(json.dumps({"n": 1, **frame}))
    while "data" in (answer := json.loads(socket.recv(20))) and "ok" not in answer:
        continue
    return answer


def test_what_is_asked_after_the_page_was_made_reaches_it(url):
    since, questions = page(url)
    assert questions == []
    with connect(url.replace("http", "ws") + "/live") as socket:
        asked = ask(
            socket, do="send", topic="questions", data={"do": "ask", "text": "Why?</script>"}
        )
        ask(socket, do="send", topic="questions", data={"do": "vote", "question": asked["data"]})
        socket.send(json.dumps({"do": "subscribe", "n": 2, "topic": "questions", "since": since}))
        told = [json.loads(socket.recv(20)) for _ in range(3)]
    assert told[0]["ok"] == 2
    assert [message["data"]["votes"] for message in told[1:]] == [0, 1]
    assert page(url)[1] == [told[2]["data"]]


@pytest.mark.parametrize(("data", "code"), [
    ({"do": "ask", "text": " "}, "empty"), ({"do": "vote", "question": 999}, "unknown"),
    ({"do": "answer", "question": None, "text": "x"}, "unknown"), ([], "failed"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(url, data, code):
    with connect(url.replace("http", "ws") + "/live") as socket:
        assert ask(socket, do="send", topic="questions", data=data)["code"] == code
        assert ask(socket, do="publish", topic="questions", data=1)["code"] == "forbidden"
