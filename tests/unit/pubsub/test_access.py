"""What clients from outside may do, and for how long."""

import asyncio
import time

import pytest

from eyewall.pubsub import ForbiddenError, Hub, InvalidMessageError, TooManyError
from eyewall.pubsub.access import Access, Action, Grant
from eyewall.pubsub.client import ClientLimits, HubClient


def rules(**granted):
    """Each user may do what is listed: "action topic"."""
    access = Access()

    @access.rule("**")
    def listed(user, action, topic):
        return f"{action.value} {topic}" in granted.get(user, ())

    return access


def test_what_no_rule_allows_is_forbidden(run):
    async def main():
        with pytest.raises(ForbiddenError, match=r"publish 'a' is not allowed"):
            await Access().check("ann", Action.PUBLISH, "a")

    run(main)


def test_a_client_does_only_what_its_rules_allow(run):
    async def main():
        access = rules(ann=("subscribe a", "publish a"), bob=("subscribe a",))
        async with Hub() as hub:
            ann, bob = HubClient(hub, "ann", access), HubClient(hub, "bob", access)
            subscription = await bob.subscribe("a")
            position = await ann.publish("a", '{"x": 1}')
            message = await anext(subscription)
            assert (message.data, message.position) == ({"x": 1}, position)
            for forbidden in (
                bob.publish("a", "1"),
                bob.subscribe("b"),
                bob.subscribe("a", "b"),
                bob.subscribe("**"),
                bob.subscribe("$presence"),
                bob.allow(Action.PRESENCE, "a"),
            ):
                with pytest.raises(ForbiddenError):
                    await forbidden
            with pytest.raises(InvalidMessageError):
                await ann.publish("a", "{")
            ann.close()
            bob.close()
            assert subscription.is_closed

    run(main)


@pytest.mark.parametrize(
    ("wanted", "may"),
    [
        ("rooms/1", True),
        ("rooms/staff", False),
        ("rooms/*", False),
        ("rooms/**", False),
        ("halls/*", True),
        ("halls/**", False),
        ("**", False),
    ],
)
def test_a_pattern_needs_the_leave_of_every_rule_that_it_touches(run, wanted, may):
    async def main():
        access = Access()
        access.rule("rooms/staff")(lambda user, action, topic: False)

        @access.rule("rooms/*")
        async def slow(user, action, topic):
            await asyncio.sleep(0)
            return True

        access.rule("halls/*")(lambda user, action, topic: Grant(50.0))
        try:
            until = await access.check(None, Action.SUBSCRIBE, wanted)
        except ForbiddenError:
            assert not may
        else:
            assert may
            assert until == (50.0 if wanted == "halls/*" else None)

    run(main)


def test_leave_that_ends_ends_the_subscription_unless_it_is_given_again(run):
    async def main():
        asked = []
        access = Access()

        @access.rule("a")
        def short(user, action, topic):
            asked.append(user)
            return len(asked) < 3 and Grant(time.time() + 0.02)

        async with Hub() as hub:
            client = HubClient(hub, "ann", access)
            subscription = await client.subscribe("a")
            with pytest.raises(ForbiddenError, match="subscribe 'a'"):
                await anext(subscription)
            assert asked == ["ann"] * 3

    run(main)


def test_a_rule_that_fails_later_closes_the_topic(run, caplog):
    async def main():
        answers = [Grant(0.0)]
        access = Access()
        access.rule("a")(lambda user, action, topic: answers.pop())
        async with Hub() as hub:
            subscription = await HubClient(hub, "ann", access).subscribe("a")
            with pytest.raises(ForbiddenError, match="could not be renewed"):
                await anext(subscription)

    run(main)
    assert "A rule failed" in caplog.text


def test_a_client_that_becomes_somebody_else_loses_what_that_one_may_not_have(run):
    async def main():
        access = rules(ann=("subscribe a", "subscribe b"), guest=("subscribe b",))
        async with Hub() as hub:
            client = HubClient(hub, "ann", access)
            a, b = await client.subscribe("a"), await client.subscribe("b")
            await client.refresh("guest")
            assert client.identity == "guest"
            assert (a.is_closed, b.is_closed) == (True, False)
            hub.publish("b", 1)
            assert (await anext(b)).data == 1

    run(main)


def test_a_client_has_only_so_many_topics(run):
    async def main():
        access = rules(ann=[f"subscribe {n}" for n in range(5)])
        async with Hub() as hub:
            client = HubClient(hub, "ann", access, limits=ClientLimits(topics=3))
            first = await client.subscribe("0", "1")
            with pytest.raises(ForbiddenError):
                await client.subscribe("other")
            await client.subscribe("2")
            with pytest.raises(TooManyError, match="3 topics"):
                await client.subscribe("3")
            client.unsubscribe(first)
            await client.subscribe("3", "4")

    run(main)


def test_a_client_publishes_only_so_often(run, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("eyewall.pubsub.client.time.monotonic", lambda: now)

    async def main():
        nonlocal now
        access = rules(ann=("publish a",))
        async with Hub() as hub:
            limits = ClientLimits(publishes_per_s=2, burst=3)
            client = HubClient(hub, "ann", access, limits=limits)
            for _ in range(3):
                await client.publish("a", "1")
            with pytest.raises(TooManyError, match="2 messages a second"):
                await client.publish("a", "1")
            now += 0.5
            await client.publish("a", "1")
            with pytest.raises(TooManyError):
                await client.publish("a", "1")

    run(main)
