"""Who is here, over several processes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eyewall.pubsub import Hub
from eyewall.pubsub.backends.local_server import LocalBackplaneServer
from eyewall.pubsub.presence import Presence
from eyewall.pubsub.presence_state import Entry, NodeState, Roster, merge


def history(steps):
    """All states of a node that makes these steps."""
    states = [NodeState()]
    for number, topic, key, joins in steps:
        entry = {number: Entry(topic, key, None)} if joins else {}
        states.append(states[-1].after(entry, () if joins else (number,)))
    return states


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans()),
    max_size=6,
)


@st.composite
def knowledge(draw):
    """What three processes may know of the same nodes."""
    histories = {name: history(draw(STEPS)) for name in draw(st.sets(st.sampled_from("pqr")))}
    return [
        {
            name: draw(st.sampled_from(states))
            for name, states in histories.items()
            if draw(st.booleans())
        }
        for _ in range(3)
    ]


@given(knowledge())
def test_merging_knows_no_order_and_no_repetition(known):
    a, b, c = known
    assert merge(a, b) == merge(b, a)
    assert merge(a, merge(b, c)) == merge(merge(a, b), c)
    assert merge(a, a) == a
    assert merge(merge(a, b), b) == merge(a, b)


class RosterMachine(RuleBasedStateMachine):
    """A roster that hears states in any order agrees with the newest ones, counted anew."""

    def __init__(self):
        super().__init__()
        self.roster = Roster()
        self.states = {name: [NodeState()] for name in "pq"}
        self.known = {}
        self.present = {}

    @rule(
        name=st.sampled_from("pq"), number=st.integers(0, 3), topic=st.sampled_from("ab"),
        key=st.sampled_from("xy"), joins=st.booleans(), meta=st.integers(0, 2),
    )  # fmt: skip
    def step(self, name, number, topic, key, joins, meta):
        entries = {number: Entry(topic, key, meta)} if joins else {}
        self.states[name].append(self.states[name][-1].after(entries, () if joins else (number,)))

    @rule(name=st.sampled_from("pq"), data=st.data())
    def hear(self, name, data):
        state = data.draw(st.sampled_from(self.states[name]))
        self.follow(self.roster.update(name, state))
        if name not in self.known or state.clock > self.known[name].clock:
            self.known[name] = state

    @rule(name=st.sampled_from("pq"))
    def forget(self, name):
        self.follow(self.roster.forget(name))
        self.known.pop(name, None)

    def follow(self, changes):
        for change in changes:
            keys = self.present.setdefault(change.topic, set())
            assert not keys & change.joined.keys()
            keys.update(change.joined)
            assert change.left.keys() <= keys
            keys.difference_update(change.left)

    @invariant()
    def it_agrees(self):
        for topic in "ab":
            expected = {}
            for name in sorted(self.known):
                for _, entry in sorted(self.known[name].entries.items()):
                    if entry.topic == topic:
                        expected.setdefault(entry.key, []).append(entry.meta)
            assert self.roster.who(topic) == expected
            assert self.present.get(topic, set()) == expected.keys()


TestRoster = RosterMachine.TestCase


class Watch:
    """Changes of a topic, to wait for."""

    def __init__(self, presence, pattern="**"):
        self.queue = asyncio.Queue()
        self.end = presence.watch(pattern, self.queue.put_nowait)

    async def next(self):
        """Who comes and goes next."""
        while True:
            change = await self.queue.get()
            if change.joined or change.left:
                return dict(change.joined), dict(change.left)


@pytest.fixture
def processes(run, tmp_path):
    """Runs a test with a function that makes the presence of a further process."""

    def processes(main):
        async def served():
            server = LocalBackplaneServer(tmp_path / "hub.sock")
            await server.start()
            made = []

            async def process(**options):
                hub = Hub(f"local:{tmp_path / 'hub.sock'}")
                presence = Presence(hub, **options)
                made.append((presence, hub))
                await presence.start()
                return presence

            try:
                await main(process)
            finally:
                for presence, hub in made:
                    await presence.close()
                    await hub.close()
                await server.close()

        run(served)

    return processes


def test_who_joins_and_leaves_is_known_at_once_in_the_process_itself(processes):
    async def main(process):
        presence = await process()
        changes = Watch(presence)
        with presence.track("room", "ann", {"mood": "fine"}) as ann:
            assert presence.who("room") == {"ann": [{"mood": "fine"}]}
            ann.update({"mood": "fair"})
            assert presence.who("room") == {"ann": [{"mood": "fair"}]}
            assert presence.who("hall") == {}
        ann.leave()
        ann.update("gone")
        assert presence.who("room") == {}
        assert await changes.next() == ({"ann": {"mood": "fine"}}, {})
        assert await changes.next() == ({}, {"ann": {"mood": "fair"}})
        assert changes.queue.empty()

    processes(main)


def test_watchers_are_told_when_something_else_is_told_of_somebody(processes):
    async def main(process):
        one, two = await process(), await process()
        changes = Watch(two)
        ann = one.track("room", "ann", {"typing": False})
        await changes.next()
        ann.update({"typing": True})
        change = await changes.queue.get()
        assert (change.joined, change.left) == ({}, {})
        assert change.updated == {"ann": [{"typing": True}]}
        one.track("room", "ann", 2)
        assert (await changes.queue.get()).updated == {"ann": [{"typing": True}, 2]}
        ann.leave()
        assert (await changes.queue.get()).updated == {"ann": [2]}

    processes(main)


def test_every_process_knows_who_is_present_through_the_others(processes):
    async def main(process):
        one, two = await process(), await process()
        changes = Watch(two, "rooms/*")
        ann = one.track("rooms/1", "ann", 1)
        assert await changes.next() == ({"ann": 1}, {})
        assert two.who("rooms/1") == {"ann": [1]}
        ann.leave()
        assert await changes.next() == ({}, {"ann": 1})

    processes(main)


def test_a_person_with_two_tabs_has_left_with_the_last_one(processes):
    async def main(process):
        one, two = await process(), await process()
        changes = Watch(one)
        first, second = two.track("room", "ann", 1), one.track("room", "ann", 2)
        assert (await changes.next())[0].keys() == {"ann"}
        while len(one.who("room")["ann"]) < 2:
            await asyncio.sleep(0)
        second.leave()
        assert one.who("room") == {"ann": [1]}
        first.leave()
        assert await changes.next() == ({}, {"ann": 1})

    processes(main)


def test_a_process_that_starts_later_learns_who_is_there(processes):
    async def main(process):
        one = await process()
        one.track("room", "ann")
        two = await process()
        assert await Watch(two).next() == ({"ann": None}, {})

    processes(main)


def test_a_process_that_ends_takes_its_people_along(processes):
    async def main(process):
        one, two = await process(), await process()
        changes = Watch(one)
        two.track("room", "ann")
        await changes.next()
        await two.close()
        assert await changes.next() == ({}, {"ann": None})

    processes(main)


def test_a_process_that_dies_is_noticed_by_its_silence(processes, caplog):
    async def main(process):
        one = await process(beat_s=0.01, silence_s=0.05)
        two = await process(beat_s=1000)
        changes = Watch(one)
        two.track("room", "ann")
        assert await changes.next() == ({"ann": None}, {})
        assert await changes.next() == ({}, {"ann": None})
        # It was not dead after all.
        two.track("room", "bob")
        assert (await changes.next())[0].keys() == {"ann", "bob"}

    processes(main)
    assert "A process is silent" in caplog.text


def test_a_watch_that_was_ended_hears_nothing_and_a_failing_one_disturbs_nobody(processes, caplog):
    async def main(process):
        presence = await process()
        ended, other = Watch(presence), None
        presence.watch("**", lambda _: 1 / 0)
        other = Watch(presence)
        ended.end()
        presence.track("room", "ann")
        assert await other.next() == ({"ann": None}, {})
        assert ended.queue.empty()

    processes(main)
    assert "A watcher of room failed" in caplog.text


def test_nonsense_from_another_process_is_ignored(processes, caplog):
    async def main(process):
        from eyewall.pubsub.backends.base import Outgoing
        from eyewall.pubsub.history import Retention

        one, two = await process(), await process()
        await two._hub.send(Outgoing("$presence", b'{"type":"none"}', None, Retention(0)))
        two.track("room", "ann")
        assert await Watch(one).next() == ({"ann": None}, {})

    processes(main)
    assert "spoke no sense about presence" in caplog.text
