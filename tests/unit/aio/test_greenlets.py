"""Plain code in a greenlet waits without holding up the loop."""

import asyncio
import contextvars
import functools
import threading

import pytest
import uvloop

from eyewall.aio.greenlets import blocking_await, in_greenlet, run_in_greenlet


@pytest.fixture(params=[None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(run, request):
    return functools.partial(run, loop_factory=request.param)


async def value(result):
    await asyncio.sleep(0)
    return result


def test_it_waits_however_deep_and_returns_what_the_function_returns(run):
    def inner(n):
        return blocking_await(value(n)) if n == 0 else inner(n - 1) + 1

    async def main():
        assert await run_in_greenlet(inner, 50) == 50

    run(main)


def test_a_hundred_wait_at_once_on_one_thread(run):
    async def main():
        barrier = asyncio.Barrier(100)
        threads = set()

        def work(n):
            blocking_await(barrier.wait())
            threads.add(threading.get_ident())
            return n

        assert await asyncio.gather(*(run_in_greenlet(work, n) for n in range(100))) == list(
            range(100)
        )
        assert threads == {threading.get_ident()}

    run(main)


def test_an_error_of_what_is_awaited_is_raised_in_the_plain_code(run):
    async def broken():
        raise LookupError("no such thing")

    def work():
        with pytest.raises(LookupError, match="no such thing"):
            blocking_await(broken())
        return blocking_await(value("went on"))

    async def main():
        assert await run_in_greenlet(work) == "went on"

    run(main)


def test_an_error_of_the_plain_code_is_the_callers(run):
    def work():
        blocking_await(value(1))
        raise LookupError("mine")

    async def main():
        with pytest.raises(LookupError, match="mine"):
            await run_in_greenlet(work)

    run(main)


def test_a_cancelled_task_cancels_the_plain_code_which_may_clean_up(run):
    steps = []

    def work():
        try:
            blocking_await(asyncio.Event().wait())
        except asyncio.CancelledError:
            steps.append(blocking_await(value("cleaned up")))
            raise

    async def main():
        task = asyncio.create_task(run_in_greenlet(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    assert steps == ["cleaned up"]


def test_a_time_out_around_it_ends_it(run):
    def work():
        blocking_await(asyncio.Event().wait())

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await run_in_greenlet(work)

    run(main)


def test_it_is_part_of_its_task_and_shares_its_context_variables(run):
    variable = contextvars.ContextVar("variable", default="unset")

    def work(task):
        assert asyncio.current_task() is task
        seen = variable.get()
        variable.set("inner")
        blocking_await(value(1))
        assert asyncio.current_task() is task
        return seen

    async def main():
        variable.set("outer")
        assert await run_in_greenlet(work, asyncio.current_task()) == "outer"
        assert variable.get() == "inner"

    run(main)


def test_greenlets_start_greenlets_that_outlive_them(run):
    async def main():
        gate = asyncio.Event()
        inner = []

        def child():
            blocking_await(gate.wait())
            return "child"

        async def start_now():
            # Its first step runs within the parent's greenlet.
            step = run_in_greenlet(child)
            waited = step.send(None)
            inner.append((step, waited))

        def parent():
            blocking_await(start_now())
            return "parent"

        assert await run_in_greenlet(parent) == "parent"
        [(step, waited)] = inner
        gate.set()
        await waited
        with pytest.raises(StopIteration) as end:
            step.send(None)
        assert end.value.value == "child"

    run(main)


def test_outside_it_is_refused_with_what_to_do(run):
    with pytest.raises(RuntimeError, match="@greenlet_handler"):
        blocking_await(value(1))
    assert not in_greenlet()


def test_another_thread_is_outside(run):
    def elsewhere():
        assert not in_greenlet()
        with pytest.raises(RuntimeError, match="same thread"):
            blocking_await(value(1))
        return True

    def work():
        assert in_greenlet()
        return blocking_await(asyncio.to_thread(elsewhere))

    async def main():
        assert await run_in_greenlet(work)

    run(main)


def test_what_cannot_be_awaited_is_refused(run):
    async def main():
        with pytest.raises(TypeError, match="takes an awaitable, not 3"):
            await run_in_greenlet(blocking_await, 3)

    run(main)


def test_a_coroutine_that_is_thrown_away_ends_its_plain_code(run):
    steps = []

    def work():
        try:
            blocking_await(asyncio.Event().wait())
        finally:
            with pytest.raises(RuntimeError, match="thrown away"):
                blocking_await(value(1))
            steps.append("ended")

    async def main():
        started = run_in_greenlet(work)
        started.send(None)
        started.close()

    run(main)
    assert steps == ["ended"]
