"""The chat over HTTP: nothing is lost between polls, nor over a restart."""

import json
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest
from tests.support import CHAT, eyewall

COMMAND = ("run", "app:app", "--app-dir", str(CHAT), "--no-access-log", "--port")


@pytest.fixture
def database(tmp_path):
    return {"CHAT_DB": str(tmp_path / "chat.sqlite3")}


@pytest.fixture
def url(database):
    with eyewall(*COMMAND, "0", env=database) as server:
        yield server.url()


def post(url, path, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=30) as answer:
        return json.load(answer)


def wait(url, room, after):
    query = urllib.parse.urlencode({"room": room, "after": after})
    with urllib.request.urlopen(f"{url}/wait?{query}", timeout=30) as answer:
        return json.load(answer)["events"]


def say(url, room, text, author="Ada"):
    return post(url, "/messages", {"room": room, "author": author, "text": text})["id"]


def test_a_waiting_client_is_answered_by_a_message(url):
    heard = []
    listener = threading.Thread(target=lambda: heard.extend(wait(url, "r", 0)))
    listener.start()
    say(url, "other", "not for this room")
    say(url, "r", "Grüße ☂")
    listener.join()
    assert [event["text"] for event in heard] == ["Grüße ☂"]


def test_nothing_is_lost_between_polls_with_several_writers(url):
    total, seen = 60, []

    def write(author):
        for number in range(total // 3):
            say(url, "r", f"{author} {number}", author)

    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for writer in writers:
        writer.start()
    while len(seen) < total:
        seen.extend(wait(url, "r", seen[-1]["id"] if seen else 0))
    for writer in writers:
        writer.join()
    assert len({event["text"] for event in seen}) == total
    assert [event["id"] for event in seen] == sorted(event["id"] for event in seen)


def test_votes_are_events_and_can_be_taken_back(url):
    message = say(url, "r", "vote for me")
    for voter, votes in [("a", 1), ("b", 2), ("a", 1)]:
        last = wait(url, "r", 0)[-1]["id"]
        post(url, "/votes", {"message": message, "voter": voter})
        [event] = wait(url, "r", last)
        assert (event["kind"], event["message"], event["votes"]) == ("vote", message, votes)


def test_a_restart_loses_nothing_and_numbers_go_on(database):
    with eyewall(*COMMAND, "0", env=database) as server:
        url = server.url()
        first = say(url, "r", "before")
        server.popen.kill()
    with eyewall(*COMMAND, "0", env=database) as server:
        url = server.url()
        second = say(url, "r", "after")
        assert second > first
        assert [event["text"] for event in wait(url, "r", 0)] == ["before", "after"]
        with urllib.request.urlopen(f"{url}/rooms", timeout=30) as answer:
            assert json.load(answer) == {"rooms": ["r"]}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/messages", b"not json", 400),
        ("/messages", b"[]", 400),
        ("/messages", {"room": "r", "author": "a"}, 400),
        ("/messages", {"room": "r", "author": "a", "text": "  "}, 400),
        ("/messages", {"room": "r", "author": "a", "text": "x" * 2001}, 400),
        ("/messages", {"room": "r" * 41, "author": "a", "text": "x"}, 400),
        ("/messages", b"x" * 70_000, 413),
        ("/votes", {"message": "1", "voter": "a"}, 400),
        ("/votes", {"message": 99, "voter": "a"}, 404),
        ("/votes", {"message": 2**80, "voter": "a"}, 400),
        ("/wait?room=r&after=x", None, 400),
        ("/wait?after=1", None, 400),
    ],
)
def test_bad_input_is_refused_with_a_reason(url, path, body, status):
    with pytest.raises(urllib.error.HTTPError) as caught:
        if body is None:
            urllib.request.urlopen(url + path, timeout=30)
        else:
            post(url, path, body)
    assert caught.value.code == status
    assert json.load(caught.value)["status"] == status
