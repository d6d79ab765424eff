"""Subscribers that come, go and are cut off: each message exactly once and in order, or a gap."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eyewall.pubsub import Gap, Hub, Retention
from eyewall.pubsub.backends.local_server import LocalBackplaneServer
from eyewall.pubsub.topics import matches

TOPICS = ["a/1", "a/2", "b"]
PATTERNS = [("a/1",), ("a/*",), ("**",), ("a/2", "b"), ("a/**", "a/1")]


class Client:
    """One subscriber with its own memory of what it has seen."""

    def __init__(self, patterns, position):
        self.patterns = patterns
        self.seen_up_to = position.seq
        self.id = str(position)
        self.subscription = None
        self.last = 0
        self.seen = set()

    def read(self, log):
        """Take what is there; nothing in between may be missing."""
        while (item := self.subscription.next_now()) is not None:
            seq = item.position.seq
            if isinstance(item, Gap):
                self.seen_up_to = max(self.seen_up_to, seq)
                self.last = 0
                continue
            assert (item.data, item.topic) == (seq, log[seq])
            assert seq > self.last
            self.last = seq
            assert seq not in self.seen
            self.seen.add(seq)
            # What a gap has left of the messages before it follows it.
            if seq > self.seen_up_to:
                assert self.expected(log, seq) == [seq]
                self.seen_up_to = seq
        self.id = str(self.subscription.position)

    def expected(self, log, upto):
        return [
            seq
            for seq in range(self.seen_up_to + 1, upto + 1)
            if any(matches(each, log[seq]) for each in self.patterns)
        ]


class Recovery(RuleBasedStateMachine):
    """The hub on the memory of this process."""

    limit = 1000

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.log = {}
        self.clients = []
        self.runner.run(self.begin())

    async def begin(self):
        self.hub = Hub(history=Retention(3))

    async def end(self):
        await self.hub.close()

    def teardown(self):
        self.runner.run(self.end())
        self.runner.close()

    async def settle(self):
        while self.hub.position.seq < len(self.log):
            await asyncio.sleep(0)

    @rule(topics=st.lists(st.sampled_from(TOPICS), min_size=1, max_size=6))
    def publish(self, topics):
        async def publish():
            sent = []
            for topic in topics:
                self.log[len(self.log) + 1] = topic
                sent.append(self.hub.publish(topic, len(self.log)))
            for each in sent:
                await each

        self.runner.run(publish())

    @rule(patterns=st.sampled_from(PATTERNS))
    def come(self, patterns):
        async def come():
            await self.hub.start()
            client = Client(patterns, self.hub.position)
            client.subscription = self.hub.subscribe(*patterns, limit=self.limit)
            await client.subscription
            self.clients.append(client)

        self.runner.run(come())

    @rule(number=st.integers(0, 5))
    def read(self, number):
        self.each(number, lambda client: client.read(self.log))

    @rule(number=st.integers(0, 5))
    def go(self, number):
        def go(client):
            client.id = str(client.subscription.position)
            client.subscription.close()
            client.subscription = None

        self.each(number, go)

    def each(self, number, do):
        here = [client for client in self.clients if client.subscription is not None]
        if here:
            do(here[number % len(here)])

    @rule(number=st.integers(0, 5), publishes=st.booleans())
    def come_back(self, number, publishes):
        away = [client for client in self.clients if client.subscription is None]
        if not away:
            return
        client = away[number % len(away)]

        async def come_back():
            client.subscription = self.hub.subscribe(
                *client.patterns, since=client.id, limit=self.limit
            )
            joining = asyncio.ensure_future(client.subscription.start())
            if publishes:
                self.log[len(self.log) + 1] = "a/1"
                _ = self.hub.publish("a/1", len(self.log))
            await joining

        self.runner.run(come_back())

    @invariant()
    def nothing_is_lost_silently(self):
        async def check():
            await self.settle()
            for client in self.clients:
                if client.subscription is not None:
                    client.read(self.log)
                    assert client.expected(self.log, len(self.log)) == []

        self.runner.run(check())


class SlowRecovery(Recovery):
    """Queues of two messages."""

    limit = 2


class LocalRecovery(Recovery):
    """The hub of one machine, whose connection is cut now and then."""

    async def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = LocalBackplaneServer(Path(self.folder.name) / "hub.sock")
        await self.server.start()
        self.hub = Hub(f"local:{self.server.path}", history=Retention(3))

    async def end(self):
        await super().end()
        await self.server.close()
        self.folder.cleanup()

    @rule(topic=st.sampled_from(TOPICS))
    def cut_while_publishing(self, topic):
        async def cut():
            self.log[len(self.log) + 1] = topic
            sent = self.hub.publish(topic, len(self.log))
            for connection in list(self.server.connections):
                connection.transport.abort()
            await sent

        self.runner.run(cut())


TestRecovery = Recovery.TestCase
TestSlowRecovery = SlowRecovery.TestCase
TestLocalRecovery = LocalRecovery.TestCase
TestLocalRecovery.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
