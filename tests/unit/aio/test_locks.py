"""Semaphore, BoundedSemaphore, Lock: order, time-outs, cancellation, block forms."""

import asyncio
import datetime

import pytest

from eyewall.aio import BadYieldError, BoundedSemaphore, Lock, Semaphore, coroutine, moment

NOW = datetime.timedelta(0)
LONG = datetime.timedelta(hours=1)
KINDS = [Semaphore, BoundedSemaphore, Lock]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_waiters_are_served_in_order(run, kind):
    async def main():
        lock = kind()
        seen = []

        async def work(name):
            async with lock as nothing:
                assert nothing is None
                seen.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*map(work, "abcde"))
        assert "".join(seen) == "abcde"

    run(main)


def test_who_comes_late_cannot_overtake(run, kind):
    async def main():
        lock = kind()
        await lock.acquire()
        waiting = lock.acquire()
        lock.release()
        assert waiting.done()
        assert not lock.acquire().done()

    run(main)


def test_the_block_form_of_decorated_coroutines(run, kind):
    @coroutine
    def work(lock):
        with pytest.raises(ZeroDivisionError):
            with (yield lock.acquire()) as nothing:
                assert nothing is None
                raise ZeroDivisionError
        with (yield lock.acquire(LONG)):
            yield moment
        with pytest.raises(BadYieldError):
            yield lock

    async def main():
        lock = kind()
        await work(lock)
        assert lock.acquire().done()

    run(main)


def test_a_plain_block_is_refused_with_the_right_form(kind):
    with pytest.raises(RuntimeError, match="async with"):
        with kind():
            pass


def test_a_time_out_leaves_the_line(run, kind):
    async def main():
        lock = kind()
        await lock.acquire()
        late, patient = lock.acquire(NOW), lock.acquire(LONG)
        with pytest.raises(TimeoutError, match="Timeout"):
            await late
        assert "waiters:1" in repr(lock)
        lock.release()
        await patient
        assert patient.timer.cancelled()

    run(main)


def test_a_cancelled_waiter_leaves_the_line_and_stops_its_timer(run, kind):
    async def main():
        lock = kind()
        await lock.acquire()
        gone, next_one = lock.acquire(LONG), lock.acquire()
        assert gone.cancel()
        assert gone.timer.cancelled()
        lock.release()
        assert next_one.done()

    run(main)


def test_a_permit_given_to_a_task_that_is_cancelled_goes_on(run, kind):
    async def main():
        lock = kind()
        await lock.acquire()

        async def wait():
            await lock.acquire()

        doomed, heir = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        lock.release()
        doomed.cancel()
        await heir
        assert doomed.cancelled()
        lock.release()
        assert "unlocked" in repr(lock)

    run(main)


def test_a_permit_that_two_wait_for_is_given_back_once(run):
    async def main():
        lock = Lock()
        await lock.acquire()
        shared = lock.acquire()

        async def wait():
            await shared

        doomed, kept = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        lock.release()
        doomed.cancel()
        await kept
        assert repr(lock) == "<Lock [locked]>"

    run(main)


def test_misuse_is_named():
    with pytest.raises(RuntimeError, match="nobody holds"):
        Lock().release()
    with pytest.raises(ValueError, match="more often"):
        BoundedSemaphore(2).release()
    with pytest.raises(ValueError, match="0 permits or more"):
        Semaphore(-1)


def test_a_semaphore_may_grow(run):
    async def main():
        semaphore = Semaphore(0)
        semaphore.release()
        semaphore.release()
        assert repr(semaphore) == "<Semaphore [unlocked,value:2]>"
        await semaphore.acquire()
        await semaphore.acquire()
        semaphore.acquire()
        assert repr(semaphore) == "<Semaphore [locked,waiters:1]>"

    run(main)


def test_a_line_that_is_cancelled_from_its_end_is_left_in_linear_time(run):
    async def main():
        lock = Lock()
        await lock.acquire()
        line = [lock.acquire() for _ in range(50_000)]
        for waiter in reversed(line):
            waiter.cancel()
        lock.release()
        assert repr(lock) == "<Lock [unlocked]>"

    run(main)
