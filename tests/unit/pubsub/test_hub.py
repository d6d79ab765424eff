"""Publishing and subscribing within one process."""

import asyncio
import dataclasses

import msgspec
import pytest

from eyewall.pubsub import (
    Callback,
    Gap,
    Hub,
    HubClosedError,
    InvalidMessageError,
    Message,
    Overflow,
    Position,
    Retention,
    SlowReaderError,
)


async def turn():
    """Let what was published in this turn of the loop be delivered."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def waiting(subscription):
    """All that can be read now: data of messages, reasons of gaps."""
    items = []
    while (item := subscription.next_now()) is not None:
        items.append(item.data if isinstance(item, Message) else f"gap: {item.reason}")
    return items


def test_a_message_reaches_every_subscriber_of_its_topic_and_no_other(run):
    async def main():
        async with Hub() as hub:
            one, two, other = (
                await hub.subscribe("a"),
                await hub.subscribe("a"),
                await hub.subscribe("b"),
            )
            position = await hub.publish("a", {"text": "hello"})
            message = await anext(one)
            assert (message.topic, message.data) == ("a", {"text": "hello"})
            assert message.position == position == Position.parse(message.id)
            assert waiting(two) == [{"text": "hello"}]
            assert waiting(other) == []

    run(main)


def test_wildcards_receive_the_messages_of_all_their_topics_in_their_order(run):
    async def main():
        async with Hub() as hub:
            one, every = await hub.subscribe("rooms/*"), await hub.subscribe("rooms/**")
            for topic in ("rooms/1", "rooms/1/typing", "rooms/2", "rooms", "halls/1"):
                hub.publish(topic, topic)
            await turn()
            assert waiting(one) == ["rooms/1", "rooms/2"]
            assert waiting(every) == ["rooms/1", "rooms/1/typing", "rooms/2", "rooms"]

    run(main)


def test_overlapping_topics_of_one_subscription_bring_each_message_once(run):
    async def main():
        async with Hub() as hub:
            mixed = await hub.subscribe("a/*", "a/1", "b", "**")
            for topic in ("a/1", "b", "a/2", "c"):
                hub.publish(topic, topic)
            await turn()
            assert waiting(mixed) == ["a/1", "b", "a/2", "c"]

    run(main)


def test_messages_of_one_turn_arrive_as_one_batch_encoded_once(run):
    async def main():
        batches = []
        async with Hub() as hub:
            await hub.subscribe("a", reader=Callback(batches.append))
            await hub.subscribe("a", reader=Callback(batches.append))
            for n in range(3):
                hub.publish("a", n)
            await turn()
        first, second = batches
        assert [message.data for message in first] == [0, 1, 2]
        assert all(one.envelope is two.envelope for one, two in zip(first, second, strict=True))
        whole = msgspec.json.decode(first[0].envelope)
        assert whole == {"id": first[0].id, "topic": "a", "data": 0}

    run(main)


def test_a_message_published_while_one_is_delivered_comes_after_it(run):
    async def main():
        seen = []
        async with Hub() as hub:

            def answer(batch):
                seen.extend(("first", message.data) for message in batch)
                if batch[-1].data < 3:
                    hub.publish("a", batch[-1].data + 1)

            await hub.subscribe("a", reader=Callback(answer))
            await hub.subscribe(
                "a", reader=Callback(lambda b: seen.extend(("second", m.data) for m in b))
            )
            hub.publish("a", 1)
            for _ in range(4):
                await turn()
        assert seen == [(who, n) for n in (1, 2, 3) for who in ("first", "second")]

    run(main)


def test_a_subscriber_that_fails_is_logged_and_does_not_disturb_the_others(run, caplog):
    async def main():
        async with Hub() as hub:
            await hub.subscribe("a", reader=Callback(lambda _: 1 / 0))
            other = await hub.subscribe("a")
            hub.publish("a", 1)
            await turn()
            assert waiting(other) == [1]

    run(main)
    assert "A subscriber of a failed" in caplog.text


def test_who_comes_back_gets_exactly_what_was_missed(run):
    async def main():
        async with Hub() as hub:
            subscription = await hub.subscribe("a")
            hub.publish("a", 1)
            last = (await anext(subscription)).id
            subscription.close()
            hub.publish("a", 2)
            hub.publish("b", "other")
            hub.publish("a", 3)
            again = await hub.subscribe("a", since=last)
            hub.publish("a", 4)
            await turn()
            assert waiting(again) == [2, 3, 4]

    run(main)


def test_who_has_heard_nothing_can_come_back_too(run):
    async def main():
        async with Hub() as hub:
            hub.publish("a", 1)
            await turn()
            subscription = await hub.subscribe("a")
            position = subscription.position
            subscription.close()
            hub.publish("a", 2)
            assert waiting(await hub.subscribe("a", since=position)) == [2]

    run(main)


def test_one_position_is_enough_for_many_topics(run):
    async def main():
        async with Hub() as hub:
            subscription = await hub.subscribe("a/**", "b")
            for topic in ("a/1", "b", "a/2"):
                hub.publish(topic, topic)
            await turn()
            assert (await anext(subscription)).topic == "a/1"
            assert subscription.position.seq == 1
            subscription.close()
            hub.publish("a/3", "a/3")
            again = await hub.subscribe("a/**", "b", since=subscription.position)
            assert waiting(again) == ["b", "a/2", "a/3"]

    run(main)


def test_what_the_history_no_longer_holds_is_an_explicit_gap(run):
    async def main():
        async with Hub(history=Retention(2, 60)) as hub:
            position = await hub.publish("a", 1)
            for n in range(2, 6):
                hub.publish("a", n)
            again = await hub.subscribe("a", since=position)
            assert waiting(again) == ["gap: history", 4, 5]
            whole = await hub.subscribe("a", since=Position(position.epoch, 3))
            assert waiting(whole) == [4, 5]

    run(main)


@pytest.mark.parametrize("since", ["0000-7", "abc-0"])
def test_an_id_of_another_log_is_a_gap_and_then_all_that_is_kept(run, since):
    async def main():
        async with Hub() as hub:
            hub.publish("a", 1)
            assert waiting(await hub.subscribe("a", since=since)) == ["gap: epoch", 1]

    run(main)


def test_an_id_of_the_future_is_a_gap_and_hides_nothing(run):
    async def main():
        async with Hub() as hub:
            position = await hub.publish("a", 1)
            forged = await hub.subscribe("a", since=Position(position.epoch, 10**17))
            hub.publish("a", 2)
            await turn()
            assert waiting(forged) == ["gap: history", 2]

    run(main)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "é-1", "a-01", "a-1 ", "a" * 10_000, "a-" + "9" * 30]
)
def test_what_is_no_id_is_refused(text):
    with pytest.raises(ValueError, match="no message id"):
        Position.parse(text)


def test_who_missed_too_much_gets_the_newest_after_a_gap(run):
    async def main():
        async with Hub(most_recovered=3) as hub:
            start = hub.position
            for n in range(10):
                hub.publish("a", n)
            assert waiting(await hub.subscribe("a", since=start)) == ["gap: history", 7, 8, 9]

    run(main)


def test_the_history_of_topics_can_be_paged_backwards(run):
    async def main():
        async with Hub() as hub:
            for n in range(7):
                hub.publish("a", n)
            newest = await hub.history("a", limit=3)
            assert [message.data for message in newest] == [4, 5, 6]
            older = await hub.history("*", limit=3, before=newest[0].position)
            assert [message.data for message in older] == [1, 2, 3]
            assert await hub.history("b") == []

    run(main)


def test_a_topic_keeps_what_its_own_rule_says(run):
    async def main():
        async with Hub() as hub:
            hub.retain("typing/**", count=0)
            hub.retain("log/*", count=2)
            for n in range(4):
                hub.publish("typing/1", n)
                hub.publish("log/1", n)
            assert await hub.history("typing/1") == []
            assert [message.data for message in await hub.history("log/1")] == [2, 3]

    run(main)


def test_a_slow_reader_sees_a_gap_and_then_the_newest(run):
    async def main():
        async with Hub() as hub:
            slow = await hub.subscribe("a", limit=3)
            for n in range(10):
                hub.publish("a", n)
            await turn()
            gap = await anext(slow)
            assert isinstance(gap, Gap)
            assert (gap.reason, gap.position.seq) == ("slow", 7)
            assert waiting(slow) == [7, 8, 9]

    run(main)


def test_a_slow_reader_can_have_only_the_latest_of_each_key(run):
    async def main():
        async with Hub() as hub:
            slow = await hub.subscribe("prices", limit=3, overflow=Overflow.LATEST)
            for n in range(10):
                hub.publish("prices", {"a": n}, key="a")
                hub.publish("prices", {"b": n}, key="b")
            hub.publish("prices", "closed")
            await turn()
            assert waiting(slow) == [{"a": 9}, {"b": 9}, "closed"]

    run(main)


def test_a_slow_reader_can_be_disconnected_and_come_back(run):
    async def main():
        async with Hub() as hub:
            slow = await hub.subscribe("a", limit=2, overflow=Overflow.DISCONNECT)
            position = slow.position
            for n in range(5):
                hub.publish("a", n)
            await turn()
            with pytest.raises(SlowReaderError, match="more than 2"):
                await anext(slow)
            assert slow.is_closed
            assert waiting(await hub.subscribe("a", since=position)) == [0, 1, 2, 3, 4]

    run(main)


def test_a_closed_subscription_ends_the_loop_that_reads_it(run):
    async def main():
        async with Hub() as hub:
            subscription = await hub.subscribe("a")
            hub.publish("a", 1)
            await turn()
            asyncio.get_running_loop().call_soon(subscription.close)
            assert [message.data async for message in subscription] == [1]
            with pytest.raises(HubClosedError):
                await subscription

    run(main)


def test_a_reader_that_is_cancelled_loses_nothing(run):
    async def main():
        async with Hub() as hub:
            subscription = await hub.subscribe("a")
            reading = asyncio.ensure_future(anext(subscription))
            await turn()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            hub.publish("a", 1)
            assert (await anext(subscription)).data == 1

    run(main)


def test_a_closed_hub_ends_its_subscriptions_and_refuses_messages(run):
    async def main():
        hub = Hub()
        subscription = await hub.subscribe("a")
        await hub.close()
        assert [message async for message in subscription] == []
        with pytest.raises(HubClosedError):
            hub.publish("a", 1)
        with pytest.raises(HubClosedError):
            await hub.subscribe("a")

    run(main)


def test_what_is_published_before_the_hub_is_connected_keeps_its_order(run):
    async def main():
        hub = Hub()
        sent = [hub.publish("a", n) for n in range(3)]
        subscription = hub.subscribe("a")
        assert [position.seq for position in await asyncio.gather(*sent)] == [1, 2, 3]
        await hub.publish("a", 3)
        assert [m.data for m in await hub.history("a")] == [0, 1, 2, 3]
        await subscription
        await hub.close()

    run(main)


class Move(msgspec.Struct, tag=True):
    x: int


@dataclasses.dataclass
class Chat:
    text: str


def test_a_described_topic_takes_only_messages_of_its_type(run):
    async def main():
        async with Hub() as hub:
            hub.describe("games/*", Move)
            hub.describe("chat", Chat)
            subscription = await hub.subscribe("**")
            hub.publish("games/1", Move(3))
            hub.publish("chat", Chat("hi"))
            hub.publish_json("games/1", b'{"type":"Move","x":4,"more":1}')
            with pytest.raises(InvalidMessageError, match="chat"):
                hub.publish("chat", Move(3))
            for bad in (b'{"type":"Move","x":"4"}', b"{", b"\xff", b"[" * 100_000):
                with pytest.raises(InvalidMessageError, match="games/1"):
                    hub.publish_json("games/1", bad)
            assert (await anext(subscription)).decode(Move) == Move(3)
            assert waiting(subscription) == [{"text": "hi"}, {"type": "Move", "x": 4}]
            assert hub.described() == [("games/*", Move), ("chat", Chat)]

    run(main)


@pytest.mark.parametrize("topic", ["", "a//b", "a/*", "$presence", "a\n", "x" * 256, "/a"])
def test_what_is_no_topic_is_refused_when_published(topic):
    with pytest.raises(ValueError, match="topic"):
        Hub().publish(topic, 1)


@pytest.mark.parametrize("pattern", ["", "a//b", "**/a", "a*", "a/b**", "a\n"])
def test_what_is_no_pattern_is_refused_when_subscribed(pattern):
    with pytest.raises(ValueError, match="topic|pattern"):
        Hub().subscribe(pattern)


def test_a_url_that_is_not_understood_is_named():
    with pytest.raises(ValueError, match="carrier-pigeon:coop"):
        Hub("carrier-pigeon:coop")
