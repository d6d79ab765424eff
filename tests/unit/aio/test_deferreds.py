"""Deferreds in coroutines of asyncio, of generators and of Twisted."""

import asyncio
import functools
import gc

import pytest
import uvloop
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed
from twisted.python.failure import Failure

from eyewall.aio import coroutine
from eyewall.aio.deferreds import install


@pytest.fixture(params=[None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(run, request):
    return functools.partial(run, loop_factory=request.param)


def soon(result):
    """A Deferred that fires in the loop's next turn."""
    deferred = Deferred()
    fire = deferred.errback if isinstance(result, BaseException) else deferred.callback
    asyncio.get_running_loop().call_soon(fire, result)
    return deferred


def test_a_task_awaits_deferreds(run):
    async def main():
        assert await soon(1) == 1
        assert await succeed(2) == 2
        with pytest.raises(LookupError, match="later"):
            await soon(LookupError("later"))
        with pytest.raises(LookupError, match="before"):
            await fail(LookupError("before"))

    run(main)


def test_decorated_coroutines_yield_deferreds(run):
    @coroutine
    def work():
        assert (yield soon(1)) == 1
        assert (yield [soon(2), soon(3)]) == [2, 3]
        with pytest.raises(LookupError, match="later"):
            yield soon(LookupError("later"))
        return "done"

    async def main():
        assert await work() == "done"

    run(main)


def test_deferreds_go_where_awaitables_go(run):
    async def main():
        assert await asyncio.gather(soon(1), soon(2)) == [1, 2]
        assert await asyncio.wait_for(soon(3), 10) == 3
        assert await asyncio.ensure_future(soon(4)) == 4

    run(main)


def test_a_deferred_that_waits_for_another_one_is_waited_for(run):
    async def main():
        outer = succeed(None)
        outer.addCallback(lambda _: soon("inner"))
        assert await outer == "inner"

    run(main)


def test_coroutines_run_by_twisted_await_them_too_even_inside_a_task(run):
    async def work():
        return await soon(1) + await soon(2)

    async def main():
        assert await ensureDeferred(work()) == 3

    run(main)


def test_cancelling_a_task_cancels_the_deferred_and_logs_nothing(run, caplog):
    cancelled = []

    async def main():
        deferred = Deferred(cancelled.append)
        failures = []

        async def wait():
            await deferred

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cancelled == [deferred]
        deferred.addErrback(failures.append)
        assert failures == []

    run(main)
    gc.collect()
    assert caplog.records == []


def test_cancelling_after_the_result_has_come_is_too_late_for_the_deferred(run):
    async def main():
        deferred = Deferred()

        async def wait():
            return await deferred

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        deferred.callback("there")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seen = []
        deferred.addCallback(seen.append)
        assert seen == ["there"]

    run(main)


def test_a_time_out_cancels_the_deferred(run):
    async def main():
        deferred = Deferred()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await deferred
        assert deferred.called

    run(main)


def test_twisted_cancels_its_coroutine_and_what_it_waits_for(run):
    async def main():
        inner = Deferred()
        seen = []

        async def work():
            try:
                await inner
            except CancelledError:
                seen.append("cancelled")
                raise

        running = ensureDeferred(work())
        failures = []
        running.addErrback(failures.append)
        running.cancel()
        assert seen == ["cancelled"]
        [failure] = failures
        assert isinstance(failure, Failure)
        assert failure.check(CancelledError)

    run(main)


def test_a_reactor_that_is_elsewhere_is_refused(run):
    import twisted.internet.reactor  # noqa: F401

    async def main():
        with pytest.raises(RuntimeError, match="before anything imports"):
            install()

    run(main)
