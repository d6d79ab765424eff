"""The text form, read by Prometheus' own parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from eyewall.base.stats import DURATIONS_S, Family, Histogram
from eyewall.ops.metrics.prometheus import render
from eyewall.ops.metrics.requests import RequestStats


def parsed(families):
    return {family.name: family for family in text_string_to_metric_families(render(families))}


def test_counters_and_gauges_are_read_as_they_are():
    found = parsed([
        Family("a_total", "counter", "all a\nof \\ them", ("x",), {("1",): 5, ("2",): 0.25}),
        Family("b", "gauge", "b", (), {(): -3}),
    ])  # fmt: skip
    assert {s.labels["x"]: s.value for s in found["a"].samples} == {"1": 5, "2": 0.25}
    assert found["a"].documentation == "all a\nof \\ them"
    assert found["b"].samples[0].value == -3


def test_a_histogram_has_buckets_that_add_up():
    histogram = Histogram((0.1, 1))
    for value in (0.05, 0.5, 0.6, 7):
        histogram.observe(value)
    family = Family("t_seconds", "histogram", "t", ("r",), {("/",): histogram.value}, (0.1, 1))
    samples = parsed([family])["t_seconds"].samples
    assert [s.value for s in samples if s.name == "t_seconds_bucket"] == [1, 3, 4]
    assert [s.labels["le"] for s in samples if s.name == "t_seconds_bucket"] == ["0.1", "1", "+Inf"]
    assert [s.value for s in samples if s.name == "t_seconds_count"] == [4]
    assert [s.value for s in samples if s.name == "t_seconds_sum"] == [pytest.approx(8.15)]


# A carriage return is no line end in the format, but the parser that we read with splits there.
@given(
    st.text(
        st.characters(
            exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
        )
    )
)
def test_any_label_value_is_read_as_it_was(value):
    found = parsed([Family("a", "gauge", "a", ("x",), {(value,): 1})])
    [sample] = found["a"].samples
    assert sample.labels == {"x": value}


def test_names_that_prometheus_does_not_allow_are_changed():
    [line] = [
        line
        for line in render([Family("9-a.b", "gauge", "", ("x y",), {("v",): 1})]).splitlines()
        if not line.startswith("#")
    ]
    assert line == '_9_a_b{x_y="v"} 1'


def test_answers_are_counted_by_route_method_and_status():
    stats = RequestStats()
    stats("/a", "GET", 200, 0.002)
    stats("/a", "GET", 200, 99)
    stats("/a", "GET", 404, 0.002)
    for number in range(100):
        stats("/a", f"X{number}", 405, 0.1)
    [family] = stats.families()
    assert set(family.series) == {
        ("/a", "GET", "200"), ("/a", "GET", "404"), ("/a", "other", "405"),
    }  # fmt: skip
    assert sum(family.series["/a", "GET", "200"][:-1]) == 2
    assert family.series["/a", "GET", "200"][len(DURATIONS_S)] == 1
    assert sum(family.series["/a", "other", "405"][:-1]) == 100
