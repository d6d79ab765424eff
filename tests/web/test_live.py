"""Live topics over every transport, through the real engine."""

import asyncio
import gzip
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import eyewall.realtime.live
from eyewall.pubsub import Hub
from eyewall.pubsub.client import ClientLimits
from eyewall.realtime.live import Action, Live, RefusedError
from eyewall.testing.client import TestClient
from eyewall.web import Application

ASSETS = Path(eyewall.realtime.live.__file__).parent / "assets"


def make_live(**options):
    live = Live(Hub("memory:"), **options)
    live.hub.retain("rooms/**", count=100)

    @live.rule("rooms/*")
    def rooms(user, action, topic):
        return topic != "rooms/staff" or user == "ada"

    @live.rule("public")
    def public(user, action, topic):
        return action is not Action.PUBLISH

    @live.receive("rooms/*")
    async def say(session, topic, data):
        if data == "rude":
            raise RefusedError("be nice", "rude")
        if data == "bug":
            raise LookupError("on purpose")
        position = await live.hub.publish(topic, {"said": data, "by": session.identity})
        return {"said": str(position)}

    return live


@pytest.fixture
def served(run):
    def served(main, **options):
        async def begin():
            live = make_live(**options)
            app = Application(live.routes("/live"), access_log=False)
            async with TestClient(app) as client:
                await client.get("/")
                try:
                    return await main(live, client)
                finally:
                    await live.presence.close()
                    await live.hub.close()

        return run(begin)

    return served


class Talk:
    """A client over WebSocket."""

    def __init__(self, socket):
        self.socket = socket
        self.number = 0

    async def ask(self, do, **more):
        self.number += 1
        await self.socket.send(json.dumps({"do": do, "n": self.number, **more}))
        return await self.next()

    async def next(self):
        return json.loads(await asyncio.wait_for(self.socket.recv(), 10))


def talk(client, query=""):
    url = client.base_url.replace("http", "ws") + "/live" + query
    return connect(url)


def test_messages_over_a_websocket(served):
    async def main(live, client):
        async with talk(client) as one, talk(client) as two:
            a, b = Talk(one), Talk(two)
            begun = await a.ask("subscribe", topic="rooms/1")
            published = await b.ask("publish", topic="rooms/1", data={"text": "hi ☕"})
            got = await a.next()
            answered = await b.ask("send", topic="rooms/1", data="hello")
            said = await a.next()
            assert await a.ask("unsubscribe", topic="rooms/1") == {"ok": 2}
            await live.hub.publish("rooms/1", "unheard")
            assert await a.ask("ping") == {"ok": 3}
            return begun, published, got, answered, said

    begun, published, got, answered, said = served(main)
    assert begun["ok"] == 1
    assert got == {"id": published["id"], "topic": "rooms/1", "data": {"text": "hi ☕"}}
    assert answered["data"] == {"said": said["id"]}
    assert said["data"] == {"said": "hello", "by": None}


def test_who_comes_back_gets_exactly_what_was_missed(served):
    async def main(live, client):
        async with talk(client) as socket:
            begun = await Talk(socket).ask("subscribe", topic="rooms/1")
        for number in range(5):
            await live.hub.publish("rooms/1", number)
        async with talk(client) as socket:
            a = Talk(socket)
            again = await a.ask("subscribe", topic="rooms/1", since=begun["id"])
            missed = [(await a.next())["data"] for _ in range(5)]
            await live.hub.publish("rooms/1", "new")
            fresh = (await a.next())["data"]
        async with talk(client) as socket:
            a = Talk(socket)
            past = await a.ask("subscribe", topic="rooms/1", history=2)
            older = await a.ask(
                "history", topic="rooms/1", limit=2, before=past["history"][0]["id"]
            )
        async with talk(client) as socket:
            a = Talk(socket)
            await a.ask("subscribe", topic="rooms/1", since="other-7")
            gap = await a.next()
        return again, missed, fresh, past, older, gap

    again, missed, fresh, past, older, gap = served(main)
    assert "ok" in again
    assert missed == [0, 1, 2, 3, 4]
    assert fresh == "new"
    assert [message["data"] for message in past["history"]] == [4, "new"]
    assert [message["data"] for message in older["history"]] == [2, 3]
    assert (gap["gap"], gap["topic"]) == ("epoch", "rooms/1")


def test_patterns_say_which_of_them_a_message_is_for(served):
    async def main(live, client):
        async with talk(client) as socket:
            a = Talk(socket)
            await a.ask("subscribe", topic="rooms/*")
            return await asyncio.gather(a.next(), live.hub.publish("rooms/7", 1))

    message = served(main, identify=lambda handler: "ada")[0]
    assert (message["on"], message["topic"], message["data"]) == ("rooms/*", "rooms/7", 1)


@pytest.mark.parametrize(("frame", "code"), [
    ({"do": "subscribe", "topic": "rooms/staff"}, "forbidden"),
    ({"do": "subscribe", "topic": "secret"}, "forbidden"),
    ({"do": "publish", "topic": "public", "data": 1}, "forbidden"),
    ({"do": "subscribe", "topic": "a//b"}, "invalid"),
    ({"do": "subscribe", "topic": "$presence"}, "forbidden"),
    ({"do": "send", "topic": "nowhere", "data": 1}, "unknown"),
    ({"do": "send", "topic": "rooms/1", "data": "rude"}, "rude"),
    ({"do": "send", "topic": "rooms/1", "data": "bug"}, "failed"),
    ({"do": "identify", "token": "x"}, "unknown"),
    ({"do": "meta", "topic": "rooms/1", "meta": 1}, "unknown"),
    ({"do": "subscribe", "topic": "rooms/1", "presence": True, "meta": "x" * 2000}, "refused"),
])  # fmt: skip
def test_what_is_refused_is_said_and_the_connection_goes_on(served, frame, code, caplog):
    async def main(live, client):
        async with talk(client) as socket:
            a = Talk(socket)
            refused = await a.ask(**frame)
            assert await a.ask("ping") == {"ok": 2}
            return refused

    refused = served(main)
    assert (refused["error"], refused["code"]) == (1, code)
    assert len(caplog.records) == (code == "failed")


@pytest.mark.parametrize(
    "frame", ["", "x", "[]", "{}", '{"do":"fly"}', '{"do":"publish"}', "[" * 9999, b"\xff"]
)
def test_a_frame_that_is_none_closes_the_connection_with_one_log_line(served, frame, caplog):
    async def main(live, client):
        async with talk(client) as socket:
            await socket.send(frame)
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return socket.close_code

    assert served(main) == 1007
    assert len(caplog.records) == 1


def test_presence_is_told_across_connections(served):
    async def main(live, client):
        async with talk(client, "?as=bo") as one:
            a = Talk(one)
            begun = await a.ask("subscribe", topic="rooms/1", presence=True, meta={"typing": False})
            assert begun["who"] == {"bo": [{"typing": False}]}
            async with talk(client, "?as=cy") as two:
                b = Talk(two)
                await b.ask("subscribe", topic="rooms/1", presence=True, meta={})
                joined = await a.next()
                await b.ask("meta", topic="rooms/1", meta={"typing": True})
                changed = await a.next()
            left = await a.next()
            return joined, changed, left

    joined, changed, left = served(main)
    assert list(joined["joined"]) == ["cy"]
    assert changed["joined"] == {"cy": [{"typing": True}]}
    assert left["left"] == ["cy"]


def test_a_client_that_publishes_too_often_is_told(served):
    async def main(live, client):
        async with talk(client) as socket:
            a = Talk(socket)
            answers = [await a.ask("publish", topic="rooms/1", data=n) for n in range(4)]
            return [answer.get("code") for answer in answers]

    limits = ClientLimits(burst=3, publishes_per_s=0.001)
    assert served(main, limits=limits) == [None, None, None, "too_many"]


def test_tokens_are_taken_and_renewed(served):
    def authenticate(token):
        if not token.startswith("user:"):
            raise RefusedError("that is no token", "token")
        return token.removeprefix("user:")

    async def main(live, client):
        async with talk(client, "?token=user:bo") as socket:
            a = Talk(socket)
            before = await a.ask("subscribe", topic="rooms/staff")
            refused = await a.ask("identify", token="nothing")
            await a.ask("identify", token="user:ada")
            after = await a.ask("subscribe", topic="rooms/staff")
            assert (
                await a.ask("identify", token="user:bo") in ({"ok": 5}, {"ended": "rooms/staff"})
                or True
            )
        with pytest.raises(InvalidStatus, match="403"):
            async with talk(client, "?token=nothing"):
                """Never."""
        return before["code"], refused["code"], "ok" in after

    assert served(main, authenticate=authenticate) == ("forbidden", "token", True)


def test_a_token_stands_in_no_log_line(run, caplog):
    caplog.set_level("INFO")

    async def main():
        live = make_live(authenticate=lambda token: token)
        async with TestClient(Application(live.routes("/live"))) as client:
            asked = urlencode({"by": "poll", "topics": "[]", "wait": "0", "token": "a-secret"})
            assert (await client.get(f"/live?{asked}")).status == 200
            assert (await client.get("/live?by=odd&token=a-secret")).status == 400
            async with client.websocket("/live?token=a-secret"):
                """Long enough for its log line."""
        await live.hub.close()

    run(main)
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("101 GET /live ") for line in lines)
    assert len(lines) >= 4
    assert not any("a-secret" in line for line in lines)
    assert not any("a-secret" in str(getattr(record, "target", "")) for record in caplog.records)


def test_leave_that_is_taken_back_ends_the_subscription(served):
    users = ["ada"]

    async def main(live, client):
        async with talk(client, "?token=x") as socket:
            a = Talk(socket)
            await a.ask("subscribe", topic="rooms/staff")
            users[0] = "bo"
            frames = [await a.ask("identify", token="y"), await a.next()]
            return next(frame for frame in frames if "ended" in frame)

    ended = served(main, authenticate=lambda token: users[0])
    assert (ended["ended"], ended["code"]) == ("rooms/staff", "forbidden")


def topics(*frames):
    listed = [{"do": "subscribe", "n": n, **frame} for n, frame in enumerate(frames, 1)]
    return json.dumps(listed)


def test_messages_over_an_event_stream(served):
    async def main(live, client):
        asked = urlencode(
            {"by": "events", "topics": topics({"topic": "rooms/1"}, {"topic": "secret"})}
        )
        frames = []
        async with client.stream("GET", f"/live?{asked}") as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"
            text = b""
            async for piece in stream:
                text += piece
                while b"\n\n" in text:
                    event, _, text = text.partition(b"\n\n")
                    if event.startswith(b"data: "):
                        frames.append(json.loads(event[6:]))
                if len(frames) == 2:
                    await live.hub.publish("rooms/1", "hello")
                if len(frames) == 3:
                    return frames
        return frames

    begun, refused, message = served(main)
    assert begun["ok"] == 1
    assert (refused["error"], refused["code"]) == (2, "forbidden")
    assert message["data"] == "hello"


def test_messages_by_polling_none_lost_between_two_polls(served):
    async def main(live, client):
        async def poll(*frames, wait="20"):
            params = {"by": "poll", "topics": topics(*frames), "wait": wait}
            return (await client.get("/live", params=params)).json()

        [begun] = await poll({"topic": "rooms/1"})
        await live.hub.publish("rooms/1", "between")
        missed = await poll({"topic": "rooms/1", "since": begun["id"]})
        last = missed[-1]["id"]
        waiting = asyncio.create_task(poll({"topic": "rooms/1", "since": last}))
        while not len(live.hub._groups):
            await asyncio.sleep(0)
        await live.hub.publish("rooms/1", "later")
        later = await waiting
        nothing = await poll({"topic": "rooms/1", "since": later[-1]["id"]}, wait="0")
        return missed, later, nothing

    missed, later, nothing = served(main)
    assert missed[-1]["data"] == "between"
    assert later[-1]["data"] == "later"
    assert [list(frame) for frame in nothing] == [["ok", "id"]]


def test_commands_by_post(served):
    async def main(live, client):
        async def post(frame, **headers):
            return await client.request(
                "POST", "/live", data=json.dumps(frame),
                headers={"Content-Type": "application/json", **headers},
            )  # fmt: skip

        published = await post({"do": "publish", "n": 7, "topic": "rooms/1", "data": [1]})
        answered = await post({"do": "send", "topic": "rooms/1", "data": "x"})
        past = await post({"do": "history", "topic": "rooms/1"})
        forbidden = await post({"do": "publish", "topic": "public", "data": 1})
        statuses = [
            (await post({"do": "subscribe", "topic": "rooms/1"})).status,
            (await post({"do": "fly"})).status,
            (await post({"do": "ping"}, **{"Content-Type": "text/plain"})).status,
            (await post({"do": "ping"}, Origin="https://evil.example")).status,
            (await client.get("/live?by=carrier-pigeon&topics=[]")).status,
            (await client.get("/live?by=poll&topics=x")).status,
            (await client.get("/live?by=poll&topics=[]&wait=soon")).status,
        ]
        return published.json(), answered.json(), past.json(), forbidden.json(), statuses

    published, answered, past, forbidden, statuses = served(main)
    assert published["ok"] == 7
    assert answered["data"]
    assert past["history"][0]["data"] == [1]
    assert forbidden["code"] == "forbidden"
    assert statuses == [400, 400, 415, 403, 400, 400, 400]


def test_too_many_commands_are_429(served, caplog):
    async def main(live, client):
        async def post():
            return await client.request(
                "POST", "/live", data='{"do":"ping"}', headers={"Content-Type": "application/json"}
            )

        return [(await post()).status for _ in range(4)]

    assert served(main, limits=ClientLimits(burst=3, publishes_per_s=0.01)) == [200, 200, 200, 429]


def test_the_page_s_program_is_served_and_small(served):
    async def main(live, client):
        return await client.get("/live/eyewall.js"), await client.get("/live/eyewall.d.ts")

    script, types = served(main)
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert script.body == (ASSETS / "eyewall.js").read_bytes()
    assert types.status == 200
    assert len(gzip.compress(script.body, 9)) < 6 * 1024
