"""The chat over HTTP and WebSocket: what is said is kept, in order, over restarts and in every room."""

import json
import signal
import urllib.error
import urllib.parse
import urllib.request

import pytest
from tests.support import CHAT, eyewall
from websockets.sync.client import connect

COMMAND = ("run", "app:make_app", "--app-dir", str(CHAT), "--no-access-log", "--port")


@pytest.fixture
def environment(tmp_path):
    return {"CHAT_DATA": str(tmp_path)}


@pytest.fixture
def url(environment):
    with eyewall(*COMMAND, "0", env=environment) as server:
        yield server.url()


def fetch(url, path, **query):
    with urllib.request.urlopen(
        f"{url}{path}?{urllib.parse.urlencode(query)}", timeout=30
    ) as answer:
        return json.load(answer)


class Guest:
    """Somebody with a name, over WebSocket."""

    def __init__(self, url, name):
        query = urllib.parse.urlencode({"token": name, "as": name})
        self._connecting = connect(f"{url.replace('http', 'ws')}/live?{query}")
        self.number = 0

    def __enter__(self):
        self.socket = self._connecting.__enter__()
        return self

    def __exit__(self, *exc):
        self._connecting.__exit__(*exc)

    def ask(self, do, **more):
        self.number += 1
        self.socket.send(json.dumps({"do": do, "n": self.number, **more}))
        while True:
            frame = self.next()
            if self.number in {frame.get("ok"), frame.get("error")}:
                return frame

    def next(self):
        return json.loads(self.socket.recv(20))

    def enter(self, room, **more):
        return self.ask("subscribe", topic=f"rooms/{room}", **more)

    def say(self, room, text):
        return self.ask("send", topic=f"rooms/{room}", data={"text": text})["data"]


def test_what_is_said_reaches_the_room_and_no_other(url):
    with Guest(url, "Ada") as ada, Guest(url, "Ben") as ben:
        ben.enter("r")
        ada.say("other", "not for this room")
        number = ada.say("r", " Grüße ☂ ")
        told = ben.next()["data"]
        assert {name: told[name] for name in ("id", "room", "author", "text", "votes")} == {
            "id": number, "room": "r", "author": "Ada", "text": "Grüße ☂", "votes": [],
        }  # fmt: skip
        ben.ask("send", topic="rooms/r", data={"vote": number})
    assert fetch(url, "/messages", room="r")["messages"][0]["votes"] == ["Ben"]
    assert fetch(url, "/rooms") == {"rooms": ["other", "r"]}


def test_pages_of_history_go_back_and_forth_without_a_gap(url):
    with Guest(url, "Ada") as ada:
        numbers = [ada.say("r", str(number)) for number in range(45)]
    newest = fetch(url, "/messages", room="r", before=numbers[40])["messages"]
    assert [message["text"] for message in newest] == [str(n) for n in range(40)]
    after = fetch(url, "/messages", room="r", after=numbers[-3])["messages"]
    assert [message["id"] for message in after] == numbers[-2:]
    assert fetch(url, "/messages", room="r", before=numbers[0])["messages"] == []
    with pytest.raises(urllib.error.HTTPError, match="400"):
        fetch(url, "/messages", room="r", before="x")


def test_presence_tells_who_is_there_and_who_is_typing(url):
    with Guest(url, "Ada") as ada:
        assert ada.enter("r", presence=True, meta={"typing": False})["who"] == {
            "Ada": [{"typing": False}]
        }
        with Guest(url, "Ben") as ben:
            ben.enter("r", presence=True, meta={"typing": False})
            assert ada.next()["joined"] == {"Ben": [{"typing": False}]}
            ben.ask("meta", topic="rooms/r", meta={"typing": True})
            assert ada.next()["joined"] == {"Ben": [{"typing": True}]}
        assert ada.next()["left"] == ["Ben"]


@pytest.mark.parametrize("data", [
    {}, {"text": " "}, {"text": "x" * 2001}, {"text": 7}, [], None, {"vote": "999"}, {"vote": None},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(url, data):
    with Guest(url, "Ada") as ada:
        assert "error" in ada.ask("send", topic="rooms/r", data=data)
        assert ada.ask("publish", topic="rooms/r", data={"text": "forged"})["code"] == "forbidden"
    assert fetch(url, "/messages", room="r")["messages"] == []


def test_a_kill_loses_nothing_and_who_comes_back_gets_what_was_missed(environment):
    with eyewall(*COMMAND, "0", env=environment) as server:
        url = server.url()
        with Guest(url, "Ada") as ada:
            since = ada.enter("r")["id"]
            numbers = [ada.say("r", str(number)) for number in range(3)]
        server.popen.send_signal(signal.SIGKILL)
        server.popen.wait(20)
    with eyewall(*COMMAND, "0", env=environment) as server:
        url = server.url()
        with Guest(url, "Ben") as ben:
            ben.enter("r", since=since)
            assert [ben.next()["data"]["id"] for _ in range(3)] == numbers
            numbers.append(ben.say("r", "after"))
        messages = fetch(url, "/messages", room="r")["messages"]
        assert [message["id"] for message in messages] == numbers
