"""A reader's queue against a plain model of each policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.pubsub import Gap, Overflow, Position
from eyewall.pubsub.delivery import ReaderQueue
from eyewall.pubsub.message import Message, Record

# A key for a message, a gap, or taking one item.
STEPS = st.lists(st.sampled_from([None, "a", "b", "gap", "take"]), max_size=40)


def message(seq, key):
    return Message("e", Record(seq, "t", b"1", key, 0.0))


def run_steps(queue, steps):
    """What is taken, then all that is left."""
    taken = []
    for seq, step in enumerate(steps, 1):
        if step == "take":
            taken.append(queue.take())
        elif step == "gap":
            queue.gap(Gap(Position("e", seq), "history"))
        else:
            queue.deliver([message(seq, step)])
    while (item := queue.take()) is not None:
        taken.append(item)
    return [item for item in taken if item is not None]


@given(STEPS, st.integers(1, 5), st.sampled_from([Overflow.DROP_OLDEST, Overflow.LATEST]))
def test_what_is_dropped_is_behind_a_gap_and_the_rest_comes_in_order(steps, limit, overflow):
    queue = ReaderQueue(limit=limit, overflow=overflow)
    taken = run_steps(queue, steps)
    numbers = [item.position.seq for item in taken if isinstance(item, Message)]
    assert numbers == sorted(set(numbers))
    published = {seq: step for seq, step in enumerate(steps, 1) if step in {None, "a", "b"}}
    covered = 0
    for item in taken:
        if isinstance(item, Gap):
            covered = max(covered, item.position.seq)
    for seq, key in published.items():
        if seq in numbers or seq <= covered:
            continue
        # Only a newer message of the same key may have taken its place.
        assert overflow is Overflow.LATEST
        assert any(later > seq and published[later] == key for later in numbers)


@given(STEPS, st.integers(1, 5))
def test_a_queue_holds_no_more_than_its_limit(steps, limit):
    for overflow in Overflow:
        queue = ReaderQueue(limit=limit, overflow=overflow)
        for seq, step in enumerate(steps, 1):
            if step == "take":
                queue.take()
            else:
                queue.deliver([message(seq, step)])
            # One more for the gap that stands for what was dropped.
            assert len(queue) <= limit + 1


def test_a_queue_for_no_message_is_refused():
    with pytest.raises(ValueError, match="at least one message"):
        ReaderQueue(limit=0)
