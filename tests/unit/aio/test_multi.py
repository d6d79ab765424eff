"""multi, WaitIterator, with_timeout, sleep."""

import asyncio
import datetime
import gc

import pytest

from eyewall.aio import (
    Future,
    WaitIterator,
    coroutine,
    maybe_future,
    moment,
    multi,
    sleep,
    with_timeout,
)

LONG = datetime.timedelta(hours=1)
NOW = datetime.timedelta(0)


def failed(error):
    future = Future()
    future.set_exception(error)
    return future


def test_the_first_failure_is_raised_and_the_others_are_logged(run, caplog):
    async def main():
        with pytest.raises(KeyError):
            await multi([failed(KeyError("a")), failed(OSError("b")), asyncio.sleep(0)])

    run(main)
    [record] = caplog.records
    assert record.getMessage() == "Multiple exceptions in yield list"
    assert isinstance(record.exc_info[1], OSError)


def test_quiet_failures_are_not_logged(run, caplog):
    async def main():
        children = {"x": failed(KeyError("a")), "y": failed(OSError("b"))}
        with pytest.raises(KeyError):
            await multi(children, quiet_exceptions=OSError)

    run(main)
    assert caplog.records == []


def test_a_cancelled_child_raises_but_does_not_cancel(run):
    async def main():
        child = Future()
        both = multi([child, sleep(0)])
        child.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both
        assert not both.cancelled()

    run(main)


def test_one_future_may_stand_at_several_places(run):
    async def main():
        future = Future()
        all_of_them = multi([future, future, moment])
        future.set_result(3)
        assert await all_of_them == [3, 3, None]

    run(main)


def test_a_list_of_many_costs_linear_time(run):
    async def main():
        futures = [Future() for _ in range(20_000)]
        everything = multi(futures)
        for future in futures:
            future.set_result(None)
        assert await everything == [None] * 20_000

    run(main)


def test_results_come_as_they_are_there(run):
    async def main():
        first, second, third = Future(), Future(), Future()
        second.set_result("second")
        waits = WaitIterator(first, second, third)
        assert await waits.next() == "second"
        assert (waits.current_index, waits.current_future) == (1, second)
        upcoming = waits.next()
        third.set_exception(LookupError())
        with pytest.raises(LookupError):
            await upcoming
        assert waits.current_index == 2
        first.set_result("first")
        assert [value async for value in waits] == ["first"]
        assert waits.done()
        assert (waits.current_index, waits.current_future) == (None, None)
        with pytest.raises(RuntimeError, match="no more results"):
            waits.next()

    run(main)


def test_named_and_repeated_futures_have_their_own_turns(run):
    async def main():
        future = Future()
        waits = WaitIterator(a=future, b=future)
        upcoming = waits.next()
        future.set_result(1)
        names = [await upcoming and waits.current_index]
        async for _ in waits:
            names.append(waits.current_index)
        assert names == ["a", "b"]

    run(main)


def test_a_cancelled_next_loses_no_result(run):
    async def main():
        future = Future()
        waits = WaitIterator(future)
        waits.next().cancel()
        future.set_result("kept")
        await asyncio.sleep(0)
        assert not waits.done()
        assert await waits.next() == "kept"

    run(main)


def test_names_and_numbers_do_not_mix(run):
    async def main():
        with pytest.raises(ValueError, match="not both"):
            WaitIterator(Future(), name=Future())

    run(main)


def test_a_time_out_raises_and_leaves_the_future_alone(run):
    async def main():
        future = Future()
        with pytest.raises(TimeoutError, match="^Timeout$"):
            await with_timeout(NOW, future)
        with pytest.raises(TimeoutError, match="made late"):
            await with_timeout(NOW, future, message=lambda: "made late")
        assert not future.done()
        future.set_result("late")
        assert await future == "late"

    run(main)


@pytest.mark.parametrize("clock", ["loop", "wall"])
def test_a_deadline_may_be_a_point_in_time(run, clock):
    async def main():
        import time

        now = asyncio.get_running_loop().time() if clock == "loop" else time.time()
        with pytest.raises(TimeoutError):
            await with_timeout(now - 1, Future())
        assert await with_timeout(now + 3600, asyncio.sleep(0, "in time")) == "in time"

    run(main)


@pytest.mark.parametrize("timeout", ["1", None, True])
def test_a_timeout_that_is_none_is_named(run, timeout):
    async def main():
        with pytest.raises(TypeError, match="number or a timedelta"):
            with_timeout(timeout, Future())

    run(main)


@pytest.mark.parametrize(("quiet", "lines"), [((), 1), (OSError, 0), ((KeyError, OSError), 0)])
def test_a_failure_after_the_time_out_is_logged_once_unless_quiet(run, caplog, quiet, lines):
    async def main():
        future = Future()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await with_timeout(NOW, future, quiet)
        future.set_exception(OSError("late"))
        await asyncio.sleep(0)

    run(main)
    gc.collect()
    assert len(caplog.records) == lines


def test_what_is_there_in_time_leaves_no_timer_and_no_callback(run):
    async def main():
        shared = Future()
        for _ in range(100):
            waiting = with_timeout(LONG, shared)
            waiting.cancel()
        await asyncio.sleep(0)
        assert not shared._callbacks
        timers = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
        # The fixture's own limit is one.
        assert len(timers) <= 1

    run(main)


def test_cancellation_passes_through(run):
    async def main():
        future = Future()
        waiting = with_timeout(LONG, future)
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()

    run(main)


def test_a_moment_is_always_in_time(run):
    async def main():
        assert await with_timeout(NOW, moment) is None
        assert await with_timeout(NOW, None) is None
        await moment

    run(main)


def test_a_cancelled_sleep_stops_its_timer(run):
    async def main():
        nap = sleep(3600)
        assert nap.cancel()
        assert nap._timer.cancelled()
        await sleep(-1)

    run(main)


def test_maybe_future_takes_both(run):
    @coroutine
    def work():
        future = Future()
        future.set_result(2)
        assert maybe_future(future) is future
        return (yield maybe_future(1)), (yield maybe_future(future))

    async def main():
        assert await work() == (1, 2)

    run(main)
