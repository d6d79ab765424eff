"""Queues: order, limits, waiting, join."""

import asyncio
import datetime

import pytest

from eyewall.aio import LifoQueue, PriorityQueue, Queue, QueueEmpty, QueueFull, coroutine, moment

NOW = datetime.timedelta(0)
LONG = datetime.timedelta(hours=1)
KINDS = [Queue, PriorityQueue, LifoQueue]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.mark.parametrize(
    ("kind", "order"),
    [(Queue, [2, 1, 3]), (PriorityQueue, [1, 2, 3]), (LifoQueue, [3, 1, 2])],
)
def test_items_come_in_the_queues_order(run, kind, order):
    async def main():
        queue = kind(maxsize=3)
        for item in (2, 1, 3):
            queue.put_nowait(item)
        assert [queue.get_nowait() for _ in range(3)] == order
        with pytest.raises(QueueEmpty):
            queue.get_nowait()

    run(main)


@pytest.mark.parametrize(
    ("kind", "order"),
    [(Queue, [2, 1, 4, 3]), (PriorityQueue, [1, 2, 3, 4]), (LifoQueue, [4, 3, 1, 2])],
)
def test_those_who_wait_to_put_are_let_in_in_order(run, kind, order):
    async def main():
        queue = kind(maxsize=2)
        puts = [queue.put(item) for item in (2, 1, 4, 3)]
        assert [put.done() for put in puts] == [True, True, False, False]
        assert [await queue.get() for _ in range(4)] == order
        assert await asyncio.gather(*puts) == [None] * 4

    run(main)


def test_a_limit_holds(run, kind):
    async def main():
        queue = kind(maxsize=1)
        assert (queue.empty(), queue.full(), queue.qsize(), queue.maxsize) == (True, False, 0, 1)
        queue.put_nowait("a")
        assert (queue.empty(), queue.full(), queue.qsize()) == (False, True, 1)
        with pytest.raises(QueueFull):
            queue.put_nowait("b")

    run(main)


def test_a_fractional_limit_is_rounded_up(run):
    async def main():
        queue = Queue(maxsize=1.3)
        queue.put_nowait(0)
        queue.put_nowait(1)
        assert queue.full()
        waiting = queue.put(2)
        assert [await queue.get() for _ in range(3)] == [0, 1, 2]
        await waiting

    run(main)


def test_a_bad_limit_is_named():
    with pytest.raises(TypeError, match="cannot be None"):
        Queue(maxsize=None)
    with pytest.raises(ValueError, match="cannot be negative"):
        Queue(maxsize=-1)


def test_who_waits_to_get_is_served_in_order(run, kind):
    async def main():
        queue = kind()
        gets = [queue.get(), queue.get(LONG)]
        queue.put_nowait("first")
        await queue.put("second")
        assert await asyncio.gather(*gets) == ["first", "second"]

    run(main)


def test_time_outs_leave_the_lines(run, kind):
    async def main():
        queue = kind(maxsize=1)
        with pytest.raises(TimeoutError):
            await queue.get(NOW)
        with pytest.raises(TimeoutError):
            await queue.get(0)
        queue.put_nowait(1)
        late, patient = queue.put(2, NOW), queue.put(3, LONG)
        with pytest.raises(TimeoutError):
            await late
        assert "putters[1]" in repr(queue)
        # What waits to be put comes in first, so a stack gives that.
        expected = [3, 1] if kind is LifoQueue else [1, 3]
        assert [await queue.get(), await queue.get()] == expected
        assert patient.timer.cancelled()

    run(main)


def test_an_item_given_to_a_task_that_is_cancelled_stays(run, kind):
    async def main():
        queue = kind()

        async def get():
            return await queue.get()

        doomed = asyncio.create_task(get())
        await asyncio.sleep(0)
        queue.put_nowait("kept")
        doomed.cancel()
        await asyncio.sleep(0)
        assert doomed.cancelled()
        assert queue.get_nowait() == "kept"
        assert queue.join().done() is False
        queue.task_done()
        await queue.join()

    run(main)


def test_an_item_given_back_goes_to_the_next_who_waits(run):
    async def main():
        queue = Queue()

        async def get():
            return await queue.get()

        doomed, heir = asyncio.create_task(get()), asyncio.create_task(get())
        await asyncio.sleep(0)
        queue.put_nowait("kept")
        doomed.cancel()
        assert await heir == "kept"

    run(main)


def test_an_item_given_back_goes_to_the_front_and_waits_for_room(run):
    async def main():
        queue = Queue(maxsize=1)

        async def get():
            return await queue.get()

        doomed = asyncio.create_task(get())
        await asyncio.sleep(0)
        queue.put_nowait("first")
        queue.put_nowait("second")
        doomed.cancel()
        await asyncio.sleep(0)
        third = queue.put("third")
        assert await queue.get() == "first"
        assert not third.done()
        assert [await queue.get(), await queue.get()] == ["second", "third"]

    run(main)


def test_join_waits_until_all_is_done(run, kind):
    async def main():
        queue = kind()
        await queue.join()
        queue.put_nowait(1)
        queue.put_nowait(2)
        joined = queue.join()
        with pytest.raises(TimeoutError):
            await queue.join(NOW)
        await queue.get()
        queue.task_done()
        assert not joined.done()
        queue.task_done()
        await joined
        with pytest.raises(ValueError, match="more often"):
            queue.task_done()
        queue.put_nowait(3)
        assert not queue.join().done()

    run(main)


def test_workers_share_a_queue(run, kind):
    async def main():
        queue = kind(maxsize=3)
        done = []

        @coroutine
        def work():
            while True:
                done.append((yield queue.get()))
                queue.task_done()
                yield moment

        work(), work()
        for number in range(50):
            await queue.put(number)
        await queue.join()
        assert sorted(done) == list(range(50))

    run(main)


def test_items_are_iterated(run):
    async def main():
        queue = Queue()
        for number in range(3):
            queue.put_nowait(number)
        seen = []
        async for number in queue:
            seen.append(number)
            if number == 2:
                break
        assert seen == [0, 1, 2]

    run(main)


def test_a_queue_works_in_one_loop_after_another(run):
    queue = Queue()

    async def main():
        await queue.put(1)
        task = asyncio.create_task(asyncio.wait_for(queue.get(), 5))
        assert await task == 1

    run(main)
    run(main)


def test_an_order_of_ones_own(run):
    class Newest(Queue):
        def _init(self):
            self._queue = []

        def _put(self, item):
            self._queue.append(item)

        def _get(self):
            return self._queue.pop(max(range(len(self._queue)), key=self._queue.__getitem__))

    async def main():
        queue = Newest()
        for item in (1, 3, 2):
            await queue.put(item)
        assert [await queue.get() for _ in range(3)] == [3, 2, 1]

    run(main)


def test_its_state_is_shown(run):
    async def main():
        queue = Queue(maxsize=1)
        assert str(queue) == "<Queue maxsize=1>"
        queue.get()
        assert str(queue) == "<Queue maxsize=1 getters[1]>"
        for _ in range(3):
            queue.put("x")
        assert str(queue) == "<Queue maxsize=1 queue=deque(['x']) putters[1] tasks=2>"
        assert hex(id(queue)) in repr(queue)

    run(main)
