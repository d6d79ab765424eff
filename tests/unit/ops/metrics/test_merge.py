"""Metrics of several workers, those too that have gone."""

from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.stats import Family
from eyewall.ops.metrics.merge import Totals, read


def counter(value):
    return Family("n_total", "counter", "n", (), {(): value})


def only(families, name="n_total"):
    [found] = [family for family in families if family.name == name]
    return found.series


def test_counters_histograms_and_gauges_are_added():
    totals = Totals()
    for worker, value in (("1", 2), ("2", 3)):
        totals.update(worker, [
            counter(value),
            Family("h", "histogram", "h", (), {(): [value, 0, 0.5]}, (1,)),
            Family("g", "gauge", "g", (), {(): value}),
        ])  # fmt: skip
    families = totals.families({})
    assert only(families) == {(): 5}
    assert only(families, "h") == {(): [5, 0, 1.0]}
    assert only(families, "g") == {(): 5}


def test_what_each_process_has_of_its_own_is_kept_apart():
    totals = Totals()
    for worker in ("11", "22"):
        totals.update(worker, [Family("m", "gauge", "m", (), {(): 7}, each=True)])
    [family] = totals.families({"11": "0", "22": "1"})
    assert family.labels == ("worker",)
    assert family.series == {("0",): 7, ("1",): 7}


def test_a_worker_that_goes_takes_its_gauges_and_leaves_its_counts():
    totals = Totals()
    totals.update("1", [counter(5), Family("g", "gauge", "g", (), {(): 5})])
    totals.retire("1")
    totals.retire("never seen")
    families = totals.families({})
    assert only(families) == {(): 5}
    assert [family.name for family in families] == ["n_total"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100), st.booleans())))
def test_a_sum_of_counters_never_goes_down(steps):
    totals, counts, last = Totals(), dict.fromkeys("abc", 0), 0
    for worker, more, ends in steps:
        counts[worker] += more
        totals.update(worker, [counter(counts[worker])])
        if ends:
            totals.retire(worker)
            counts[worker] = 0
        now = only(totals.families({})).get((), 0)
        assert now >= last
        last = now


def test_a_metric_that_a_new_program_means_otherwise_replaces_the_old_one():
    totals = Totals()
    totals.update("1", [counter(5)])
    totals.retire("1")
    totals.update("2", [Family("n_total", "counter", "n", ("x",), {("a",): 1})])
    assert only(totals.families({})) == {("a",): 1}


def test_what_cannot_be_read_is_one_line(caplog):
    assert read([{"name": "n"}], "7") == []
    assert read("text", "7") == []
    assert [record.getMessage()[:42] for record in caplog.records] == [
        "Worker 7 has metrics that cannot be read: "
    ] * 2
