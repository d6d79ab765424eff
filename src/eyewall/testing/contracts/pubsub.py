"""What every backplane must do.

Make a subclass in a test module, and give it `hub` and what else its backplane has.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from eyewall.pubsub import Gap, Hub, Message, Position, Retention, Subscription


async def read_until(subscription: Subscription, last: Any) -> list[Any]:
    """Data of messages and reasons of gaps, up to the message with this data."""
    seen: list[Any] = []
    while not seen or seen[-1] != last:
        item = await anext(subscription)
        seen.append(item.data if isinstance(item, Message) else f"gap: {item.reason}")
    return seen


class BackplaneContract:
    """The suite for a backplane of one process.

    Override `hub`, and `run` when your tests run their coroutines in another way.
    """

    def hub(self, **options: Any) -> Hub:
        """A hub on the store of this test; hubs of one test share it."""
        raise NotImplementedError("define hub() in your subclass")

    def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a test."""

        async def limited() -> None:
            async with asyncio.timeout(50):
                await main()

        asyncio.run(limited())

    def test_messages_arrive_once_and_in_their_order(self) -> None:
        """Publishing is heard."""

        async def main() -> None:
            async with self.hub() as hub, hub.subscribe("a") as one, hub.subscribe("*") as two:
                for n in range(200):
                    _ = hub.publish("a", n)
                assert await read_until(one, 199) == list(range(200))
                assert await read_until(two, 199) == list(range(200))

        self.run(main)

    def test_the_position_that_the_publisher_learns_is_the_messages(self) -> None:
        """Positions agree, and grow by one."""

        async def main() -> None:
            async with self.hub() as hub, hub.subscribe("a") as subscription:
                sent = await asyncio.gather(*(hub.publish("a", n) for n in range(20)))
                heard = [(await anext(subscription)).position for _ in range(20)]
                assert heard == sent
                first = sent[0].seq
                assert [each.seq for each in sent] == list(range(first, first + 20))

        self.run(main)

    def test_topics_keys_and_data_come_out_as_they_went_in(self) -> None:
        """Nothing is changed on the way."""
        topics = ("a.b/c", "with space/>", "Grüße/日本", "%2F/+/#", "x" * 200)
        data: tuple[Any, ...] = (None, "é\u0000\ud7ff", {"a": [1, 2.5, True]}, "x" * 1_000_000, [])

        async def main() -> None:
            async with self.hub() as hub, hub.subscribe("**") as subscription:
                for topic, each in zip(topics, data, strict=True):
                    _ = hub.publish(topic, each, key=topic)
                for topic, each in zip(topics, data, strict=True):
                    message = await anext(subscription)
                    assert isinstance(message, Message)
                    assert (message.topic, message.key, message.data) == (topic, topic, each)
                for topic, each in zip(topics, data, strict=True):
                    [kept] = await hub.history(topic)
                    assert (kept.topic, kept.key, kept.data) == (topic, topic, each)

        self.run(main)

    def test_who_comes_back_gets_exactly_what_was_missed(self) -> None:
        """Recovery from an id, of topics and patterns."""

        async def main() -> None:
            async with self.hub() as hub:
                position = await hub.publish("a/1", 0)
                for n in range(1, 10):
                    _ = hub.publish(f"a/{n % 2}", n)
                    _ = hub.publish("b", -n)
                await hub.publish("b", 99)
                for patterns, expected in (
                    (("a/1",), [1, 3, 5, 7, 9]),
                    (("a/*",), list(range(1, 10))),
                    (("a/1", "b"), [-1, 1, -2, -3, 3]),
                ):
                    async with hub.subscribe(*patterns, since=str(position)) as again:
                        seen = [await anext(again) for _ in expected]
                        texts = [each.data for each in seen if isinstance(each, Message)]
                        assert texts[:1] == expected[:1] or set(texts) == set(expected)
                        assert all(m.position > position for m in seen)
                        assert not any(isinstance(each, Gap) for each in seen)

        self.run(main)

    def test_recovery_goes_over_into_what_is_published_meanwhile(self) -> None:
        """No message is lost or doubled between history and present."""

        async def main() -> None:
            async with self.hub(history=Retention(1000)) as hub:
                start = hub.position
                for n in range(50):
                    _ = hub.publish("a", n)
                returning = asyncio.gather(*(hub.subscribe("a", since=start) for _ in range(5)))
                for n in range(50, 100):
                    _ = hub.publish("a", n)
                    await asyncio.sleep(0)
                for again in await returning:
                    assert await read_until(again, 99) == list(range(100))

        self.run(main)

    def test_an_id_of_another_log_is_a_gap(self) -> None:
        """Forged and outdated ids are no error and no silence."""

        async def main() -> None:
            async with self.hub() as hub:
                await hub.publish("a", 1)
                async with hub.subscribe("a", since=Position("forged", 5)) as again:
                    gap = await anext(again)
                    assert isinstance(gap, Gap)
                    assert gap.reason == "epoch"
                    assert (await anext(again)).position > gap.position

        self.run(main)

    def test_an_id_of_the_future_is_a_gap_and_hides_nothing(self) -> None:
        """A client cannot skip what is still to come."""

        async def main() -> None:
            async with self.hub() as hub:
                epoch, seq = await hub.publish("a", 1)
                async with hub.subscribe("a", since=Position(epoch, seq + 10**9)) as again:
                    assert isinstance(await anext(again), Gap)
                    _ = hub.publish("a", 2)
                    assert await read_until(again, 2) == [2]

        self.run(main)

    def test_messages_that_are_kept_no_more_are_a_gap(self) -> None:
        """What is published beyond a topic's bound is lost explicitly."""
        count = self.dropped_after()

        async def main() -> None:
            async with self.hub(history=Retention(count), most_recovered=10**6) as hub:
                start = await hub.publish("a", "first")
                sent = [hub.publish("a", n) for n in range(2 * count)]
                positions: Sequence[Position] = await asyncio.gather(*sent)
                async with hub.subscribe("a", since=start) as again:
                    seen = await read_until(again, 2 * count - 1)
                    assert seen[0] == "gap: history"
                    assert seen[-count:] == list(range(count, 2 * count))
                async with hub.subscribe("a", since=positions[-4]) as again:
                    assert await read_until(again, 2 * count - 1) == [
                        2 * count - 3,
                        2 * count - 2,
                        2 * count - 1,
                    ]

        self.run(main)

    def dropped_after(self) -> int:
        """So many messages of a topic are kept in the test of its bound."""
        return 5

    def test_no_more_than_asked_for_are_read(self) -> None:
        """The history has pages."""

        async def main() -> None:
            async with self.hub() as hub:
                await asyncio.gather(*(hub.publish("a", n) for n in range(9)))
                newest = await hub.history("a", limit=3)
                assert [each.data for each in newest] == [6, 7, 8]
                older = await hub.history("a", limit=3, before=newest[0].position)
                assert [each.data for each in older] == [3, 4, 5]

        self.run(main)


class SharedBackplaneContract(BackplaneContract):
    """The suite for a backplane of several processes; each hub stands for one."""

    def test_every_process_hears_all_messages_in_the_same_order(self) -> None:
        """Publishers of several processes at once."""

        async def main() -> None:
            async with self.hub() as one, self.hub() as two, self.hub() as three:
                readers = [await hub.subscribe("**") for hub in (one, two, three)]
                for n in range(100):
                    for name, hub in (("one", one), ("two", two)):
                        _ = hub.publish(f"from/{name}", n)
                    await asyncio.sleep(0)
                orders: list[list[Message]] = []
                for reader in readers:
                    items = [await anext(reader) for _ in range(200)]
                    orders.append([each for each in items if isinstance(each, Message)])
                ids = [[message.id for message in order] for order in orders]
                assert ids[0] == ids[1] == ids[2]
                assert len(set(ids[0])) == 200
                for name in ("one", "two"):
                    mine = [m.data for m in orders[0] if m.topic == f"from/{name}"]
                    assert mine == list(range(100))

        self.run(main)

    def test_a_client_can_go_on_in_another_process(self) -> None:
        """An id means the same everywhere."""

        async def main() -> None:
            async with self.hub() as one, self.hub() as two:
                async with one.subscribe("a") as subscription:
                    _ = one.publish("a", 1)
                    last = (await anext(subscription)).id
                await one.publish("a", 2)
                async with two.subscribe("a", since=last) as again:
                    await two.publish("a", 3)
                    assert await read_until(again, 3) == [2, 3]

        self.run(main)

    def test_a_process_that_starts_later_knows_the_history(self) -> None:
        """The log is not the process's."""

        async def main() -> None:
            async with self.hub() as one:
                await asyncio.gather(*(one.publish("a", n) for n in range(5)))
                async with self.hub() as two:
                    assert [m.data for m in await two.history("a")] == [0, 1, 2, 3, 4]

        self.run(main)

    def test_a_process_that_ends_disturbs_no_other(self) -> None:
        """Closing one hub."""

        async def main() -> None:
            async with self.hub() as one:
                subscription = await one.subscribe("a")
                async with self.hub() as two:
                    await two.publish("a", 1)
                await one.publish("a", 2)
                assert await read_until(subscription, 2) == [1, 2]

        self.run(main)


class Line:
    """A way to the store that can be broken; override it for your own.

    Attributes:
        url: What a hub that goes this way is given.
    """

    url: str

    async def cut(self) -> None:
        """Break it: connections end, and new ones are refused."""
        raise NotImplementedError

    async def mend(self) -> None:
        """Let it be whole again."""
        raise NotImplementedError


class ConnectedBackplaneContract(SharedBackplaneContract):
    """The suite for a backplane behind a connection, which can be lost."""

    async def line(self) -> Line:
        """A way to the store of this test; it is over when the test is."""
        raise NotImplementedError("define line() in your subclass")

    def hub_over(self, line: Line, **options: Any) -> Hub:
        """A hub that goes this way."""
        return Hub(line.url, **options)

    def test_what_was_published_while_the_connection_was_lost_is_recovered(self) -> None:
        """Nothing lost, nothing twice."""

        async def main() -> None:
            line = await self.line()
            async with self.hub() as near, self.hub_over(line) as far:
                subscription = await far.subscribe("a")
                _ = near.publish("a", 0)
                assert await read_until(subscription, 0) == [0]
                await line.cut()
                await asyncio.gather(*(near.publish("a", n) for n in range(1, 50)))
                await line.mend()
                await near.publish("a", 50)
                assert await read_until(subscription, 50) == list(range(1, 51))

        self.run(main)

    def test_what_is_published_into_a_lost_connection_arrives_once(self) -> None:
        """A publication waits for the connection, and is not repeated in the log."""

        async def main() -> None:
            line = await self.line()
            async with self.hub(history=Retention(2000)) as near, self.hub_over(line) as far:
                subscription = await near.subscribe("a", limit=5000)
                sent: list[Any] = []
                for n in range(600):
                    sent.append(asyncio.ensure_future(far.publish("a", n)))
                    if n in {200, 400}:
                        # Some are confirmed, some are on the way, some not sent yet.
                        await sent[n - 100]
                        await line.cut()
                        await line.mend()
                await asyncio.gather(*sent)
                assert await read_until(subscription, 599) == list(range(600))

        self.run(main)

    def test_subscribers_that_join_while_the_connection_is_lost_are_served_later(self) -> None:
        """Recovery waits for the connection."""

        async def main() -> None:
            line = await self.line()
            async with self.hub() as near, self.hub_over(line) as far:
                start = far.position
                await line.cut()
                await near.publish("a", 1)
                joining = asyncio.ensure_future(far.subscribe("a", since=start).start())
                subscription = far.subscribe("a", since=start)
                joining_too = asyncio.ensure_future(subscription.start())
                await line.mend()
                await asyncio.gather(joining, joining_too)
                await near.publish("a", 2)
                assert await read_until(subscription, 2) == [1, 2]

        self.run(main)

    def test_an_outage_longer_than_the_history_is_a_gap(self) -> None:
        """What was lost is said."""
        many = self.more_than_is_kept()

        async def main() -> None:
            line = await self.line()
            options = {"history": Retention(10), "most_recovered": 10**6}
            async with self.hub(**options) as near, self.hub_over(line, **options) as far:
                quiet, busy = await far.subscribe("quiet"), await far.subscribe("busy", limit=10**6)
                _ = near.publish("busy", 0)
                assert await read_until(busy, 0) == [0]
                await line.cut()
                await near.publish("quiet", "one")
                for _ in range(many // 1000):
                    await asyncio.gather(*(near.publish("busy", n) for n in range(1000)))
                await near.publish("busy", "last")
                await near.publish("quiet", "two")
                await line.mend()
                seen = await read_until(busy, "last")
                assert seen[0] == "gap: history"
                assert seen[-10:] == [*range(991, 1000), "last"]
                assert await read_until(quiet, "two") == self.seen_of_a_quiet_topic()

        self.run(main)

    def more_than_is_kept(self) -> int:
        """So many messages are more than any window of the backplane's own."""
        return 12_000

    def seen_of_a_quiet_topic(self) -> list[Any]:
        """What a reader sees of a topic of few messages when another one had very many."""
        return ["one", "two"]
