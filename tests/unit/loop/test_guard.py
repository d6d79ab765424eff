"""The guard of the loop: what blocks it is named."""

import asyncio
import threading

import pytest

from eyewall.loop.guard import LoopGuard


def block_until(event):
    """Keep the loop's thread busy until another thread says that it saw it."""
    assert event.wait(20)


def test_the_stack_of_what_blocks_is_reported_while_it_blocks(run):
    async def main():
        seen, reports = threading.Event(), []

        def report(late_s, stack):
            reports.append((late_s, stack))
            seen.set()

        guard = LoopGuard(0.02, report=report)
        guard.start()
        try:
            block_until(seen)
        finally:
            guard.stop()
        (late_s, stack), *more = reports
        assert late_s > 0.02
        assert "in block_until" in stack
        assert not more

    run(main)


def test_a_loop_that_turns_is_not_reported_and_tells_its_lag(run):
    async def main():
        lags, enough = [], asyncio.Event()

        def on_lag(late_s):
            lags.append(late_s)
            if len(lags) == 5:
                enough.set()

        reports = []
        guard = LoopGuard(10, on_lag=on_lag, report=lambda *what: reports.append(what))
        guard._period_s = 0.005
        guard.start()
        await enough.wait()
        guard.stop()
        assert all(lag >= 0 for lag in lags)
        assert reports == []

    run(main)


def test_the_log_says_when_it_goes_on(run, caplog):
    async def main():
        seen = threading.Event()
        guard = LoopGuard(0.02)
        report = guard._report
        guard._report = lambda *what: (report(*what), seen.set())
        marked = asyncio.Event()
        guard._on_lag = lambda _late_s: marked.set()
        guard.start()
        block_until(seen)
        await marked.wait()
        guard.stop()

    run(main)
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith("The loop has been blocked for 0.")
    assert "in block_until" in first
    assert last.startswith("The loop goes on after 0.")


def test_a_time_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        LoopGuard(0)


def test_the_thread_ends_with_the_guard(run):
    async def main():
        guard = LoopGuard(1)
        guard.start()
        guard.stop()

    run(main)
    assert not [t for t in threading.enumerate() if t.name == "eyewall-guard"]
