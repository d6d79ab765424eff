"""Patterns of topics, against a plain model of what they mean."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from eyewall.pubsub.topics import TopicTree, check_pattern, covers, matches, overlaps

NAMES = st.sampled_from(["a", "b", "$x"])
TOPICS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PATTERNS = st.builds(
    lambda parts, rest: "/".join([*parts, *(["**"] if rest or not parts else [])]),
    st.lists(st.sampled_from(["a", "b", "$x", "*"]), max_size=3),
    st.booleans(),
)
EVERY = [
    "/".join(p)
    for n in (1, 2, 3, 4, 5)
    for p in itertools.product(("a", "b", "$x", "other"), repeat=n)
]


def means(pattern, topic):
    """What the words of the module say, one segment after the other."""

    def rest(p, t, first):
        if p == ["**"]:
            return not (first and t and t[0].startswith("$"))
        if not p or not t:
            return not p and not t
        fits = p[0] == t[0] or (p[0] == "*" and not (first and t[0].startswith("$")))
        return fits and rest(p[1:], t[1:], False)

    return rest(pattern.split("/"), topic.split("/"), True)


@given(PATTERNS, TOPICS)
def test_a_pattern_stands_for_the_topics_that_its_segments_mean(pattern, topic):
    assert check_pattern(pattern) == pattern
    assert matches(pattern, topic) == means(pattern, topic)


@given(PATTERNS, PATTERNS)
def test_covering_and_overlapping_are_those_of_the_sets_of_topics(one, other):
    mine = {topic for topic in EVERY if means(one, topic)}
    theirs = {topic for topic in EVERY if means(other, topic)}
    assert covers(one, other) == (theirs <= mine)
    assert overlaps(one, other) == bool(mine & theirs)


@given(
    st.lists(st.tuples(st.booleans(), PATTERNS | TOPICS), max_size=20), st.lists(TOPICS, max_size=4)
)
def test_the_tree_finds_what_a_plain_list_finds(steps, topics):
    tree, model = TopicTree(), {}
    for adds, pattern in steps:
        if adds:
            model[pattern] = object()
            tree.set(pattern, model[pattern])
        else:
            model.pop(pattern, None)
            tree.remove(pattern)
        for topic in topics:
            expected = {value for each, value in model.items() if means(each, topic)}
            found = tree.match(topic)
            assert set(found) == expected
            assert len(found) == len(expected)
    assert dict(tree) == model
    assert len(tree) == len(model)
    assert all(tree.get(pattern) is value for pattern, value in model.items())
