"""Long polling through the real engine."""

import asyncio
import json

import pytest

from eyewall import Application
from eyewall.pubsub import Hub, Retention
from eyewall.realtime.longpoll import LongPollHandler, wait_for_news
from tests.conftest import Live


@pytest.fixture
def polls(run):
    """Runs a test with a server, a hub, and a function that asks."""

    def polls(main, **members):
        async def served():
            hub = Hub(history=Retention(1000))
            kind = {"hub": hub, "topics": lambda self, room: [f"rooms/{room}"], **members}
            handler = type("Wait", (LongPollHandler,), kind)
            app = Application([(r"/(\w+)", handler)], access_log=False)
            live = Live(app)
            peers = []

            async def ask(room="a", since=None, peer=None):
                if peer is None:
                    peer = await live.connect()
                    peers.append(peer)
                query = "" if since is None else f"?since={since}"
                peer.send(f"GET /{room}{query} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                status, headers, body = await peer.answer()
                return status, headers, json.loads(body) if body else None

            try:
                await main(hub, ask)
            finally:
                for peer in peers:
                    await peer.close()
                await hub.close()
                live.close()

        run(served)

    return polls


async def waiting(hub, count):
    """Until so many polls wait."""
    while sum(len(group.plain) for _, group in hub._groups) < count:
        await asyncio.sleep(0)


def data(news):
    return [message["data"] for message in news["messages"]]


def test_without_an_id_the_answer_is_the_id_to_begin_with(polls):
    async def main(hub, ask):
        await hub.publish("rooms/a", 1)
        status, headers, news = await ask()
        assert (status, news["messages"], news["gap"]) == (200, [], None)
        assert headers["cache-control"] == "no-store"
        assert headers["content-type"].startswith("application/json")
        await hub.publish("rooms/a", 2)
        assert data((await ask(since=news["id"]))[2]) == [2]

    polls(main)


def test_everybody_who_waits_is_answered_by_one_publication(polls):
    async def main(hub, ask):
        start = (await ask())[2]["id"]
        asking = [asyncio.ensure_future(ask("a", start)) for _ in range(5)]
        other = asyncio.ensure_future(ask("b", start))
        await waiting(hub, 6)
        position = await hub.publish("rooms/a", "new")
        for status, _, news in await asyncio.gather(*asking):
            assert status == 200
            assert news == {
                "id": str(position),
                "messages": [{"id": str(position), "topic": "rooms/a", "data": "new"}],
                "gap": None,
            }
        assert not other.done()
        await hub.publish("rooms/b", 1)
        assert data((await other)[2]) == [1]

    polls(main)


def test_nothing_is_lost_between_two_polls(polls):
    async def main(hub, ask):
        async def publish():
            for n in range(200):
                hub.publish("rooms/a", n)
                await asyncio.sleep(0)

        last, seen = (await ask())[2]["id"], []
        publishing = asyncio.ensure_future(publish())
        while len(seen) < 200:
            news = (await ask(since=last))[2]
            assert news["gap"] is None
            seen += data(news)
            last = news["id"]
        assert seen == list(range(200))
        await publishing

    polls(main)


@pytest.mark.parametrize("status", [200, 204, 304])
def test_a_poll_that_finds_nothing_is_answered_as_the_program_chooses(polls, status):
    async def main(hub, ask):
        start = (await ask())[2]["id"]
        await hub.publish("rooms/b", "elsewhere")
        got, _, news = await ask(since=start)
        assert got == status
        if status == 200:
            assert news == {"id": str(hub.position), "messages": [], "gap": None}
        hub.publish("rooms/a", 1)
        assert data((await ask(since=news["id"] if news else start))[2]) == [1]

    polls(main, timeout_s=0.01, empty_status=status)


def test_messages_that_are_lost_are_a_gap(polls):
    async def main(hub, ask):
        hub.retain("rooms/*", count=2)
        start = (await ask())[2]["id"]
        for n in range(4):
            hub.publish("rooms/a", n)
        news = (await ask(since=start))[2]
        assert (news["gap"], data(news)) == ("history", [2, 3])

    polls(main)


@pytest.mark.parametrize("forged", ["x", "0-1", "%00", "9" * 3000])
def test_a_forged_id_is_a_gap_and_no_error(polls, forged, caplog):
    async def main(hub, ask):
        news = (await ask(since=forged))[2]
        assert news["gap"] == "epoch"
        hub.publish("rooms/a", 1)
        assert data((await ask(since=news["id"]))[2]) == [1]

    polls(main)
    assert not caplog.records


def test_a_client_that_goes_is_forgotten(run):
    gone = asyncio.Event()

    async def main():
        hub = Hub()
        await hub.start()
        kind = {
            "hub": hub,
            "topics": lambda self, room: [room],
            "on_connection_close": lambda self: gone.set(),
        }
        handler = type("Wait", (LongPollHandler,), kind)
        live = Live(Application([(r"/(\w+)", handler)], access_log=False))
        peer = await live.connect()
        peer.send(f"GET /a?since={hub.position} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        await waiting(hub, 1)
        await peer.close()
        await gone.wait()
        assert len(hub._groups) == 0
        await hub.close()
        live.close()

    run(main)


def test_a_server_that_goes_away_answers_those_who_wait(polls):
    leaving = []

    async def main(hub, ask):
        start = (await ask())[2]["id"]
        asking = asyncio.ensure_future(ask("a", start))
        await waiting(hub, 1)
        leaving[0]()
        assert (await asking)[2] == {"id": start, "messages": [], "gap": None}

    polls(main, prepare=lambda self: leaving.append(self.application.leave))


def test_a_closed_hub_answers_those_who_wait(polls):
    async def main(hub, ask):
        start = (await ask())[2]["id"]
        asking = asyncio.ensure_future(ask("a", start))
        await waiting(hub, 1)
        await hub.close()
        assert (await asking)[2]["messages"] == []

    polls(main)


def test_a_hub_that_cannot_be_reached_is_503(run, tmp_path, caplog):
    async def main():
        hub = Hub(f"local:{tmp_path / 'nobody'}")
        kind = {"hub": hub, "topics": lambda self, room: [room]}
        handler = type("Wait", (LongPollHandler,), kind)
        live = Live(Application([(r"/(\w+)", handler)], access_log=False))
        peer = await live.connect()
        peer.send(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await peer.answer())[0] == 503
        await peer.close()
        await hub.close()
        live.close()

    run(main)
    assert "the hub cannot be reached" in caplog.text


def test_functions_can_wait_for_news_too(run):
    async def main():
        async with Hub(history=Retention(2)) as hub:
            start = await wait_for_news(hub, "a", since=None)
            assert (await wait_for_news(hub, "a", since=start.id, timeout_s=0)).messages == []
            asking = asyncio.ensure_future(wait_for_news(hub, "a", since=start.id))
            await asyncio.sleep(0)
            hub.publish("a", 1)
            hub.publish("a", 2)
            news = await asking
            assert [message.data for message in news.messages] == [1, 2]
            for n in range(3, 6):
                hub.publish("a", n)
            news = await wait_for_news(hub, "a", since=news.id)
            assert (news.gap, [m.data for m in news.messages]) == ("history", [4, 5])

    run(main)
