"""Counters, gauges and histograms."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.stats import Family, Histogram, Registry


def test_a_counter_counts_by_its_labels():
    registry = Registry()
    orders = registry.counter("orders_total", "orders", "country")
    orders.labels("de").inc()
    orders.labels("de").inc(2)
    orders.labels("fr").inc()
    [family] = registry.families()
    assert family.series == {("de",): 3, ("fr",): 1}


def test_the_same_metric_asked_for_again_is_the_same():
    registry = Registry()
    registry.gauge("depth", "how deep").labels().set(3)
    registry.gauge("depth", "how deep").labels().inc(-1)
    assert registry.families()[0].series == {(): 2}
    with pytest.raises(ValueError, match="depth is a gauge with the labels"):
        registry.counter("depth", "how deep")


def test_mistakes_are_named():
    metric = Registry().counter("orders_total", "orders", "country")
    with pytest.raises(ValueError, match="counts up"):
        metric.labels("de").inc(-1)
    with pytest.raises(ValueError, match=r"orders_total has the labels \('country',\)"):
        metric.labels()


def test_labels_from_clients_do_not_fill_the_memory():
    metric = Registry().counter("asked_total", "asked", "word")
    for number in range(5000):
        metric.labels(str(number)).inc()
    series = metric.family().series
    assert len(series) == 1001
    assert series["other",] == 4000


def test_sources_are_asked_until_they_are_removed():
    registry = Registry()
    remove = registry.add_source(lambda: [Family("a", "gauge", "a", (), {(): 1})])
    assert [family.name for family in registry.families()] == ["a"]
    remove()
    remove()
    assert registry.families() == []


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_a_histogram_counts_every_value_once(values):
    histogram = Histogram((0.1, 1, 10))
    for value in values:
        histogram.observe(value)
    *counts, total = histogram.value
    assert sum(counts) == len(values)
    assert counts[0] == sum(value <= 0.1 for value in values)
    assert counts[-1] == sum(value > 10 for value in values)
    assert total == pytest.approx(sum(values))


def test_what_was_copied_does_not_change():
    registry = Registry()
    metric = registry.histogram("seconds", "how long", bounds=(1,))
    metric.labels().observe(0.5)
    before = registry.families()[0]
    metric.labels().observe(2)
    assert before.series == {(): [1, 0, 0.5]}
    assert registry.families()[0].series == {(): [1, 1, 2.5]}


@given(st.dictionaries(st.tuples(st.text(), st.text()), st.floats(allow_nan=False)))
def test_a_family_survives_json(series):
    family = Family("n", "counter", "text", ("a", "b"), dict(series), (1.0,), each=True)
    assert Family.from_json(json.loads(json.dumps(family.as_json()))) == family
