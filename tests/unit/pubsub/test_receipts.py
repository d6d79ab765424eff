"""Reading with acknowledgement."""

import pytest

from eyewall.pubsub import Gap, Hub, Retention
from eyewall.pubsub.receipts import Receipts


def test_what_was_not_acknowledged_comes_again(run, tmp_path):
    url = f"sqlite:///{tmp_path}/hub.db"

    async def main():
        async with Hub(url) as hub, Receipts(hub, "mailer", "orders/*") as orders:
            for n in range(4):
                await hub.publish(f"orders/{n % 2}", n)
            reading = aiter(orders)
            first, second = await anext(reading), await anext(reading)
            await orders.done(first)
            assert second.data == 1
        async with Hub(url) as hub, Receipts(hub, "mailer", "orders/*") as orders:
            reading = aiter(orders)
            again = [await anext(reading) for _ in range(3)]
            assert [message.data for message in again] == [1, 2, 3]
            await orders.done(again[2])
            # Late, and earlier than what is done already.
            await orders.done(again[0])
        async with Hub(url) as hub, Receipts(hub, "mailer", "orders/*") as orders:
            await hub.publish("orders/1", 4)
            assert (await anext(aiter(orders))).data == 4

    run(main)


def test_a_reader_that_dies_before_its_first_message_misses_none(run):
    async def main():
        async with Hub() as hub:
            async with Receipts(hub, "one", "a"):
                pass
            await hub.publish("a", 1)
            async with Receipts(hub, "one", "a") as messages:
                assert (await anext(aiter(messages))).data == 1

    run(main)


def test_a_new_reader_may_begin_in_the_past(run):
    async def main():
        async with Hub() as hub:
            start = hub.position
            await hub.publish("a", 1)
            async with Receipts(hub, "one", "a", start=start) as messages:
                assert (await anext(aiter(messages))).data == 1

    run(main)


def test_messages_that_are_kept_no_more_are_a_gap_that_can_be_acknowledged(run):
    async def main():
        async with Hub(history=Retention(1)) as hub:
            async with Receipts(hub, "one", "a"):
                pass
            for n in range(3):
                await hub.publish("a", n)
            async with Receipts(hub, "one", "a") as messages:
                gap = await anext(aiter(messages))
                assert isinstance(gap, Gap)
                await messages.done(gap)
            async with Receipts(hub, "one", "a") as messages:
                assert (await anext(aiter(messages))).data == 2

    run(main)


def test_a_name_is_one_segment():
    with pytest.raises(ValueError, match="one segment"):
        Receipts(Hub(), "a/b", "c")


def test_reading_before_entering_is_named(run):
    async def main():
        with pytest.raises(RuntimeError, match="async with"):
            await anext(aiter(Receipts(Hub(), "a", "b")))

    run(main)
