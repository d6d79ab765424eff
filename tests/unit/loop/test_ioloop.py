"""IOLoop, PeriodicCallback and eager tasks, on asyncio and uvloop."""

import asyncio
import concurrent.futures
import datetime
import math
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from eyewall.loop import IOLoop, PeriodicCallback, start_task
from eyewall.loop.ioloop import TimeoutError


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop])
def loop(request):
    loop = IOLoop(request.param())
    yield loop
    loop.close()


def test_run_sync_returns_raises_and_times_out(loop):
    async def answer():
        await asyncio.sleep(0)
        return 42

    async def fail():
        raise LookupError("x")

    assert loop.run_sync(answer) == 42
    assert loop.run_sync(lambda: 7) == 7
    with pytest.raises(LookupError):
        loop.run_sync(fail)
    with pytest.raises(TimeoutError, match="0.01 seconds"):
        loop.run_sync(asyncio.Event().wait, timeout=0.01)


def test_there_is_one_for_each_loop(loop):
    async def main():
        assert IOLoop.current() is loop
        assert IOLoop.current().asyncio_loop is asyncio.get_running_loop()

    loop.run_sync(main)
    assert IOLoop.current(instance=False) is not loop


def test_callbacks_come_in_order_and_from_any_thread(loop):
    seen = []
    threads = [threading.Thread(target=loop.add_callback, args=(seen.append, n)) for n in range(5)]
    loop.add_callback(seen.append, "first")
    loop.add_callback_from_signal(seen.append, "second")
    for thread in threads:
        thread.start()
        thread.join()
    loop.add_callback(loop.stop)
    loop.start()
    assert seen == ["first", "second", 0, 1, 2, 3, 4]


def test_timeouts_with_numbers_timedeltas_and_removal(loop):
    seen = []
    loop.add_timeout(loop.time() + 0.002, seen.append, "at")
    loop.add_timeout(datetime.timedelta(milliseconds=1), seen.append, "delta")
    loop.remove_timeout(loop.call_later(0, seen.append, "removed"))
    loop.call_later(0.02, loop.stop)
    loop.start()
    assert sorted(seen) == ["at", "delta"]
    with pytest.raises(TypeError):
        loop.add_timeout("soon", seen.append)


def test_a_callback_that_raises_is_logged_and_the_loop_goes_on(loop, caplog):
    async def fails():
        raise LookupError("in a coroutine")

    loop.add_callback(lambda: 1 / 0)
    loop.add_callback(fails)
    loop.call_later(0.01, loop.stop)
    loop.start()
    assert "ZeroDivisionError" in caplog.text
    assert "in a coroutine" in caplog.text
    assert len(caplog.records) == 2


def test_work_is_done_in_another_process(loop):
    # Started anew: a fork would take this process's threads' locks along.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:

        async def main():
            number = await loop.run_in_executor(pool, math.factorial, 20)
            with pytest.raises(ValueError, match="negative"):
                await loop.run_in_executor(pool, math.factorial, -1)
            return number

        assert loop.run_sync(main) == math.factorial(20)


def test_futures_of_both_kinds_call_back_in_the_loop(loop):
    seen = []

    async def main():
        own = asyncio.get_running_loop().create_future()
        loop.add_future(own, lambda future: seen.append(future.result()))
        own.set_result("own")
        with ThreadPoolExecutor(1) as pool:
            loop.add_future(
                pool.submit(lambda: "foreign"),
                lambda future: seen.append((future.result(), threading.current_thread())),
            )
        assert await loop.run_in_executor(None, lambda x: x * 2, 21) == 42

    loop.run_sync(main)
    loop.call_later(0.01, loop.stop)
    loop.start()
    assert seen == ["own", ("foreign", threading.current_thread())]


def test_handlers_watch_descriptors(loop):
    read, write = os.pipe()
    seen = []

    def ready(fd, events):
        seen.append((fd, events, os.read(fd, 10)))
        loop.remove_handler(fd)
        loop.stop()

    loop.add_handler(read, ready, IOLoop.READ)
    with pytest.raises(ValueError, match="already"):
        loop.add_handler(read, ready, IOLoop.READ)
    os.write(write, b"x")
    loop.start()
    assert seen == [(read, IOLoop.READ, b"x")]
    os.close(read)
    os.close(write)


def test_a_periodic_callback_runs_skips_and_stops(loop):
    calls = []

    async def main():
        over = asyncio.Event()

        async def call():
            calls.append(loop.time())
            if len(calls) == 1:
                raise LookupError("once")
            if len(calls) == 3:
                periodic.stop()
                over.set()

        periodic = PeriodicCallback(call, datetime.timedelta(milliseconds=5), jitter=0.1)
        periodic.start()
        assert periodic.is_running()
        await over.wait()
        assert not periodic.is_running()

    loop.run_sync(main)
    assert len(calls) == 3
    with pytest.raises(ValueError):
        PeriodicCallback(lambda: None, 0)


def test_an_eager_task_runs_at_once_and_is_a_task(loop):
    async def main():
        running = asyncio.get_running_loop()
        seen = []

        async def work(wait):
            seen.append(asyncio.current_task().get_name())
            async with asyncio.timeout(10):
                if wait:
                    await asyncio.sleep(0)
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
            return "done"

        tasks = []
        done = running.create_future()

        def start():
            tasks.extend(start_task(running, work(wait)) for wait in (True, False))
            assert len(seen) == 2
            done.set_result(None)

        running.call_soon(start)
        await done
        assert await asyncio.gather(*tasks) == ["done", "done"]
        # From within another task it starts too, at once or soon.
        assert await start_task(running, work(False)) == "done"

        async def fail():
            raise LookupError("early")

        failed = []
        running.call_soon(lambda: failed.append(start_task(running, fail())))
        await asyncio.sleep(0)
        with pytest.raises(LookupError):
            await failed[0]

        async def endless():
            await asyncio.Event().wait()

        running.call_soon(lambda: failed.append(start_task(running, endless())))
        await asyncio.sleep(0)
        failed[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await failed[1]

    loop.run_sync(main)


def test_other_threads_find_the_main_threads_loop_however_it_came_to_be(run):
    async def main():
        here = IOLoop.current()
        found = await asyncio.to_thread(IOLoop.instance)
        assert found is here
        assert threading.current_thread() is threading.main_thread()

    run(main)


@pytest.mark.parametrize("clock", [time.time, lambda: IOLoop.current().time()])
def test_a_deadline_counts_on_the_clock_that_it_was_made_with(run, clock):
    async def main():
        fired = asyncio.Event()
        handle = IOLoop.current().add_timeout(clock() + 3600, fired.set)
        assert 3590 < handle.when() - asyncio.get_running_loop().time() < 3610
        handle.cancel()
        IOLoop.current().call_at(clock() - 1, fired.set)
        await fired.wait()

    run(main)
