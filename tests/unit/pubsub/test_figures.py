"""What the metrics say of hubs."""

import gc

from eyewall.pubsub import Hub
from eyewall.pubsub.figures import families, received


def series():
    [family] = families()
    return {topic: count for (topic,), count in family.series.items()}


def test_subscriptions_are_counted_by_topic_and_end_with_them(run):
    async def main():
        async with Hub("memory:") as hub:
            before = received.value
            async with hub.subscribe("figures/a") as one, hub.subscribe("figures/a", "figures/b"):
                counted = series()
                assert (counted["figures/a"], counted["figures/b"]) == (2, 1)
                await hub.publish("figures/a", "hello")
                assert (await anext(one)).data == "hello"
            assert received.value == before + 1
            assert "figures/a" not in series()

    run(main)


def test_many_topics_are_few_series(run):
    async def main():
        async with Hub("memory:") as hub:
            open_ones = [await hub.subscribe(f"many/{number}") for number in range(80)]
            counted = series()
            assert len(counted) == 51
            assert sum(counted.values()) == 80
            for subscription in open_ones:
                subscription.close()

    gc.collect()
    run(main)
