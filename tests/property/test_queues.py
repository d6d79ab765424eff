"""Whatever is cancelled whenever, no permit and no item is lost, or given twice."""

import asyncio
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.aio import (
    BoundedSemaphore,
    Condition,
    LifoQueue,
    Lock,
    PriorityQueue,
    Queue,
    Semaphore,
)

NOW = datetime.timedelta(0)
NUMBERS = st.integers(0, 30)
TIMEOUTS = st.sampled_from([None, None, NOW, datetime.timedelta(hours=1)])
FORMS = st.sampled_from(["await", "ensure_future", "wait_for"])


async def wait_for(future, form):
    """The ways in which programs wait."""
    if form == "ensure_future":
        return await asyncio.ensure_future(future)
    if form == "wait_for":
        return await asyncio.wait_for(future, 3600)
    return await future


async def settle(tasks):
    """End all tasks; whatever they fail with is theirs."""
    # Python 3.11's wait_for may keep a cancellation for itself when the future is done just then.
    while any(not task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)


LOCK_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), TIMEOUTS, FORMS),
        st.tuples(st.just("cancel"), NUMBERS),
        st.tuples(st.just("release"), NUMBERS),
        st.tuples(st.just("turn")),
    ),
    max_size=40,
)


class Workers:
    """Tasks that take a permit, hold it, and give it back when they are told."""

    def __init__(self, lock, permits):
        self.lock, self.permits = lock, permits
        self.tasks, self.gates, self.granted = [], {}, []

    async def hold(self, number, limit, form):
        await wait_for(self.lock.acquire(limit), form)
        try:
            self.granted.append(number)
            gate = self.gates[number] = asyncio.Event()
            assert len(self.gates) <= self.permits
            await gate.wait()
        finally:
            self.gates.pop(number, None)
            self.lock.release()

    async def do(self, name, *args):
        if name == "start":
            number = len(self.tasks)
            self.tasks.append(asyncio.create_task(self.hold(number, *args)))
        elif name == "cancel" and self.tasks:
            self.tasks[args[0] % len(self.tasks)].cancel()
        elif name == "release" and self.gates:
            list(self.gates.values())[args[0] % len(self.gates)].set()
        elif name == "turn":
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("make", "permits"),
    [(Lock, 1), (Semaphore, 1), (lambda: Semaphore(3), 3), (lambda: BoundedSemaphore(2), 2)],
    ids=["Lock", "Semaphore", "Semaphore(3)", "BoundedSemaphore(2)"],
)
@given(steps=LOCK_STEPS)
def test_no_permit_is_lost(make, permits, steps):
    async def main():
        lock = make()
        workers = Workers(lock, permits)
        for step in steps:
            await workers.do(*step)
        await settle(workers.tasks)
        assert [task.exception() for task in workers.tasks if not task.cancelled()].count(
            AssertionError
        ) == 0
        # All permits are there again, and no more.
        taken = [lock.acquire() for _ in range(permits)]
        assert all(future.done() for future in taken)
        assert not lock.acquire().done()

    asyncio.run(main())


@given(steps=LOCK_STEPS)
def test_permits_are_given_in_order(steps):
    async def main():
        workers = Workers(Lock(), 1)
        for step in steps:
            await workers.do(*step)
            if step[0] == "start":
                # It gets in line now.
                await asyncio.sleep(0)
        await settle(workers.tasks)
        assert workers.granted == sorted(workers.granted)

    asyncio.run(main())


QUEUE_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), TIMEOUTS, FORMS),
        st.tuples(st.just("get"), TIMEOUTS, FORMS),
        st.tuples(st.just("put_nowait")),
        st.tuples(st.just("get_nowait")),
        st.tuples(st.just("cancel"), NUMBERS),
        st.tuples(st.just("turn")),
    ),
    max_size=50,
)


class Traffic:
    """Tasks that put and get, and what became of each item."""

    def __init__(self, queue):
        self.queue = queue
        self.tasks, self.accepted, self.refused, self.received = [], [], [], []
        self.offered = 0

    async def put(self, item, limit, form):
        try:
            await wait_for(self.queue.put(item, limit), form)
        except TimeoutError:
            self.refused.append(item)
        else:
            self.accepted.append(item)

    async def get(self, limit, form):
        try:
            item = await wait_for(self.queue.get(limit), form)
        except TimeoutError:
            return
        self.received.append(item)

    def now(self, name):
        if name == "put_nowait":
            try:
                self.queue.put_nowait(self.offered)
            except asyncio.QueueFull:
                self.refused.append(self.offered)
            else:
                self.accepted.append(self.offered)
            self.offered += 1
        else:
            try:
                self.received.append(self.queue.get_nowait())
            except asyncio.QueueEmpty:
                assert self.queue.empty()

    async def do(self, name, *args):
        if name == "put":
            self.tasks.append(asyncio.create_task(self.put(self.offered, *args)))
            self.offered += 1
        elif name == "get":
            self.tasks.append(asyncio.create_task(self.get(*args)))
        elif name == "cancel" and self.tasks:
            self.tasks[args[0] % len(self.tasks)].cancel()
        elif name == "turn":
            await asyncio.sleep(0)
        elif name.endswith("nowait"):
            self.now(name)


@pytest.mark.parametrize("kind", [Queue, PriorityQueue, LifoQueue])
@given(maxsize=st.integers(0, 3), steps=QUEUE_STEPS)
def test_no_item_is_lost(kind, maxsize, steps):
    async def main():
        queue = kind(maxsize)
        traffic = Traffic(queue)
        for step in steps:
            await traffic.do(*step)
        await settle(traffic.tasks)
        while not queue.empty():
            traffic.received.append(queue.get_nowait())
        received = traffic.received
        assert len(received) == len(set(received))
        assert set(traffic.accepted) <= set(received)
        assert not set(traffic.refused) & set(received)
        for _ in received:
            queue.task_done()
        assert queue.join().done()
        assert str(queue) == f"<{kind.__name__} maxsize={maxsize}>"

    asyncio.run(main())


@given(maxsize=st.integers(0, 3), steps=QUEUE_STEPS)
def test_items_come_in_order_while_nothing_is_cancelled(maxsize, steps):
    async def main():
        queue = Queue(maxsize)
        traffic = Traffic(queue)
        for step in steps:
            if step[0] in {"put", "get"}:
                await traffic.do(*step[:2], "await")
                # It gets in line now.
                await asyncio.sleep(0)
            elif step[0] != "cancel":
                await traffic.do(*step)
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        received = list(traffic.received)
        await settle(traffic.tasks)
        assert received == sorted(received)

    asyncio.run(main())


@given(
    waits=st.lists(TIMEOUTS, max_size=10),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("notify"), st.integers(1, 3)),
            st.tuples(st.just("cancel"), NUMBERS),
            st.tuples(st.just("turn")),
        ),
        max_size=20,
    ),
)
def test_no_notice_is_lost(waits, steps):
    async def main():
        condition = Condition()
        woken, notices = [], 0

        async def wait(limit):
            if await condition.wait(limit):
                woken.append(1)

        tasks = [asyncio.create_task(wait(timeout)) for timeout in waits]
        await asyncio.sleep(0)
        for name, *args in steps:
            if name == "notify":
                notices += min(args[0], len(condition._waiters))
                condition.notify(args[0])
            elif name == "cancel" and tasks:
                tasks[args[0] % len(tasks)].cancel()
            else:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        # Each notice woke somebody, or nobody was left to wake.
        left = len(condition._waiters)
        assert len(woken) == notices or (len(woken) < notices and left == 0)
        await settle(tasks)

    asyncio.run(main())
