"""A loop whose time the test moves."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.client import AsyncHTTPClient, HTTPTimeoutError
from eyewall.loop import IOLoop, PeriodicCallback
from eyewall.testing import FakeClock, TestClient
from eyewall.web import Application, RequestHandler


def run(main, clock):
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        return runner.run(main())


def test_an_hour_passes_at_once_when_nothing_else_is_to_be_done():
    clock = FakeClock()
    before = clock.time()
    assert run(lambda: asyncio.sleep(3600, "done"), clock) == "done"
    assert clock.time() - before >= 3600


def test_time_outs_come_in_their_order():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.sleep(20)
        async with asyncio.timeout(20):
            await asyncio.sleep(10)

    run(main, FakeClock())


def test_the_clock_stands_still_until_it_is_moved():
    clock = FakeClock(autojump=False)
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(1, seen.append, "one")
        loop.call_later(3, seen.append, "three")
        await clock.advance(0.5)
        assert seen == []
        await clock.advance(1)
        assert seen == ["one"]
        await clock.advance(10)
        assert seen == ["one", "three"]

    run(main, clock)


def test_what_a_timer_starts_runs_within_the_same_advance():
    clock = FakeClock(autojump=False)
    times = []

    async def ticking():
        for _ in range(3):
            await asyncio.sleep(1)
            times.append(clock.time())

    async def main():
        start = clock.time()
        task = asyncio.create_task(ticking())
        await clock.advance(5)
        assert task.done()
        assert [when - start for when in times] == [1, 2, 3]

    run(main, clock)


def test_a_clock_cannot_go_backwards():
    clock = FakeClock()
    with pytest.raises(ValueError, match="backwards"):
        run(lambda: clock.advance(-1), clock)


def test_periodic_callbacks_follow():
    clock = FakeClock(autojump=False)
    calls = []

    async def main():
        periodic = PeriodicCallback(lambda: calls.append(1), 60_000)
        periodic.start()
        await clock.advance(600)
        periodic.stop()

    run(main, clock)
    assert len(calls) == 10


class Slow(RequestHandler):
    async def get(self):
        await asyncio.sleep(float(self.get_argument("s")))
        self.write("late")


def test_a_slow_handler_and_its_client_go_by_the_same_clock():
    async def main():
        async with TestClient(Application([(r"/", Slow)])) as client:
            assert (await client.get("/?s=15")).text == "late"
            fetcher = AsyncHTTPClient(force_instance=True)
            with pytest.raises(HTTPTimeoutError):
                await fetcher.fetch(client.base_url + "/?s=100", request_timeout=50.0)
            fetcher.close()

    run(main, FakeClock())


def test_work_in_threads_is_waited_for_where_no_timer_is_set():
    async def main():
        return await asyncio.to_thread(lambda: 42)

    assert run(main, FakeClock()) == 42


def test_the_ioloop_gives_the_clocks_time():
    clock = FakeClock()

    async def main():
        loop = IOLoop.current()
        fired = loop.asyncio_loop.create_future()
        loop.call_at(loop.time() + 100, fired.set_result, None)
        await fired
        assert loop.time() == clock.time()

    run(main, clock)


# Whole seconds: asyncio runs a timer a clock's resolution early.
@given(st.lists(st.integers(0, 10**6), max_size=20), st.integers(0, 10**6))
def test_exactly_the_timers_that_are_due_run_and_in_order(delays, moved):
    clock = FakeClock(autojump=False)
    fired = []

    async def main():
        start = clock.time()
        for delay in delays:
            asyncio.get_running_loop().call_at(start + delay, fired.append, start + delay)
        await clock.advance(moved)
        assert fired == sorted(start + delay for delay in delays if start + delay <= start + moved)

    run(main, clock)
