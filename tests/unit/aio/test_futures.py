"""Chaining, completing and executors."""

import asyncio
import concurrent.futures
import sys
import threading

import pytest

from eyewall.aio import (
    DummyExecutor,
    Future,
    chain_future,
    dummy_executor,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
    run_on_executor,
)

KINDS = [Future, concurrent.futures.Future]


@pytest.mark.parametrize("source_kind", KINDS)
@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("outcome", ["result", "failure", "cancelled"])
def test_an_outcome_is_passed_on(run, source_kind, target_kind, outcome):
    async def main():
        source, target = source_kind(), target_kind()
        chain_future(source, target)
        if outcome == "result":
            source.set_result(5)
        elif outcome == "failure":
            source.set_exception(OSError("x"))
        else:
            source.cancel()
            if source_kind is concurrent.futures.Future:
                source.set_running_or_notify_cancel()
        waited = target if target_kind is Future else asyncio.wrap_future(target)
        if outcome == "result":
            assert await waited == 5
        else:
            with pytest.raises(OSError if outcome == "failure" else asyncio.CancelledError):
                await waited

    run(main)


def test_a_target_that_is_done_is_left_alone(run):
    async def main():
        source, target = Future(), Future()
        chain_future(source, target)
        target.set_result("first")
        source.set_result("second")
        await asyncio.sleep(0)
        assert target.result() == "first"

    run(main)


def test_an_executor_that_outlives_the_loop_breaks_nothing():
    source = concurrent.futures.Future()

    async def main():
        target = Future()
        chain_future(source, target)
        return target

    target = asyncio.run(main())
    source.set_result(1)
    assert not target.done()


def test_cancelled_futures_are_not_completed(run, caplog):
    async def main():
        future = Future()
        future.cancel()
        future_set_result_unless_cancelled(future, 1)
        future_set_exception_unless_cancelled(future, OSError("late"))
        assert future.cancelled()
        open_one, other = Future(), Future()
        future_set_result_unless_cancelled(open_one, 1)
        future_set_exception_unless_cancelled(other, OSError("now"))
        assert open_one.result() == 1
        assert isinstance(other.exception(), OSError)

    run(main)
    [record] = caplog.records
    assert str(record.exc_info[1]) == "late"


def test_exc_info_is_set(run):
    async def main():
        future = Future()
        with pytest.raises(ValueError, match="outside of an except block"):
            future_set_exc_info(future, sys.exc_info())
        try:
            raise KeyError("x")
        except KeyError:
            future_set_exc_info(future, sys.exc_info())
        assert isinstance(future.exception(), KeyError)

    run(main)


def test_a_callback_of_a_done_future_is_called_at_once(run):
    async def main():
        seen = []
        future = Future()
        future_add_done_callback(future, seen.append)
        assert seen == []
        future.set_result(1)
        future_add_done_callback(future, seen.append)
        assert seen == [future]
        await asyncio.sleep(0)
        assert seen == [future, future]

    run(main)


def test_methods_run_on_their_objects_executor(run):
    class Work:
        def __init__(self, pool):
            self.executor = self.other = pool

        @run_on_executor
        def plain(self, x):
            return x, threading.current_thread().name

        @run_on_executor()
        def called(self):
            return threading.current_thread().name

        @run_on_executor(executor="other")
        def named(self):
            raise OSError("in the thread")

    async def main():
        with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
            work = Work(pool)
            assert await work.plain(x=3) == (3, "pool_0")
            assert await work.called() == "pool_0"
            with pytest.raises(OSError, match="in the thread"):
                await work.named()

    run(main)


def test_the_dummy_executor_runs_at_once():
    assert isinstance(dummy_executor, DummyExecutor)
    assert dummy_executor.submit(divmod, 7, 2).result(0) == (3, 1)
    assert isinstance(dummy_executor.submit(divmod, 7, 0).exception(0), ZeroDivisionError)
    dummy_executor.shutdown()


def test_futures_are_told_from_other_things(run):
    async def main():
        assert is_future(Future())
        assert is_future(concurrent.futures.Future())
        assert not is_future(42)

    run(main)
