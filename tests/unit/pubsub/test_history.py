"""The log in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.pubsub.history import MemoryLog, Retention
from eyewall.pubsub.topics import matches

TOPICS = st.sampled_from(["a/1", "a/2", "b", "c/d"])
PATTERNS = st.sampled_from([("a/1",), ("a/*",), ("**",), ("b", "c/*"), ("a/2", "a/2")])


def numbers(page):
    return [record.seq for record in page.records]


def test_messages_are_bounded_by_number_and_age():
    log = MemoryLog()
    for n in range(5):
        log.append("a", b"1", None, Retention(3, 10), now=float(n))
    assert numbers(log.read(["a"], 0, 10, now=4.0)) == [3, 4, 5]
    page = log.read(["a"], 2, 10, now=4.0)
    assert (numbers(page), page.is_complete) == ([3, 4, 5], True)
    page = log.read(["a"], 2, 10, now=13.5)
    assert (numbers(page), page.is_complete, page.lost) == ([5], False, 4)
    page = log.read(["a"], 5, 10, now=100.0)
    assert (numbers(page), page.is_complete) == ([], True)


def test_topics_used_longest_ago_are_forgotten_first_and_their_loss_is_known():
    log = MemoryLog(most_topics=2)
    for topic in ("a", "b", "a", "c"):
        log.append(topic, b"1", None, Retention(), now=0.0)
    assert numbers(log.read(["a", "c"], 0, 10, now=0.0)) == [1, 3, 4]
    page = log.read(["b"], 1, 10, now=0.0)
    assert (numbers(page), page.is_complete, page.lost) == ([], False, 2)
    assert log.read(["b"], 2, 10, now=0.0).is_complete
    assert not log.read(["*"], 1, 10, now=0.0).is_complete
    assert log.read(["a"], 0, 10, now=0.0).is_complete


def test_messages_of_all_topics_together_are_bounded_in_bytes():
    log = MemoryLog(most_bytes=10_000)
    for n in range(100):
        log.append(f"t/{n}", b"x" * 800, None, Retention(), now=0.0)
    page = log.read(["t/*"], 0, 1000, now=0.0)
    assert numbers(page) == list(range(91, 101))
    assert (page.is_complete, page.lost) == (False, 90)
    for _ in range(50):
        log.append("t/0", b"x" * 800, None, Retention(3), now=0.0)
    assert numbers(log.read(["t/*"], 0, 1000, now=0.0)) == [*range(94, 101), 148, 149, 150]


def test_the_newest_messages_of_all_topics_are_there_whatever_is_kept_of_their_topic():
    log = MemoryLog(window=3)
    for _ in range(5):
        log.append("a", b"1", None, Retention(0), now=0.0)
    assert [record.seq for record in log.since(2)] == [3, 4, 5]
    assert log.since(5) == []
    assert log.since(1) is None
    assert log.since(6) is None


def test_a_bound_below_nothing_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Retention(-1).check()


@given(st.lists(TOPICS, max_size=40), PATTERNS, st.integers(0, 45), st.integers(1, 6))
def test_reading_gives_all_that_was_missed_or_says_up_to_where_it_does_not(
    topics, patterns, after, count
):
    log = MemoryLog()
    for topic in topics:
        log.append(topic, b"1", None, Retention(count), now=0.0)
    missed = [
        seq
        for seq, topic in enumerate(topics, 1)
        if seq > after and any(matches(each, topic) for each in patterns)
    ]
    page = log.read(patterns, after, 1000, now=0.0)
    assert page.top == len(topics)
    if page.is_complete:
        assert numbers(page) == missed
    else:
        assert page.lost > after or after > page.top
        behind = [seq for seq in missed if seq > page.lost]
        assert [seq for seq in numbers(page) if seq > page.lost] == behind
        assert set(numbers(page)) <= set(missed)
        assert len(missed) > len(page.records) or after > page.top
