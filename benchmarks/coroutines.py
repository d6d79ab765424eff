"""What a decorated coroutine, a queue and a lock cost beside asyncio's own and Tornado's.

    python benchmarks/coroutines.py

Each figure is the best of several rounds, which take turns in one process; the ratio is to
asyncio's own, as tasks. Below 1 is faster.
"""

import asyncio
import time

from tornado import gen as tornado_gen
from tornado import locks as tornado_locks
from tornado import queues as tornado_queues

from eyewall import aio

CALLS = 4000
ROUNDS = 9


def done_future():
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    return future


def decorated(coroutine):
    """The four shapes of a coroutine, made with a decorator."""

    @coroutine
    def one_done(future):
        return (yield future)

    @coroutine
    def nested(future, depth):
        if depth:
            return (yield nested(future, depth - 1))
        return (yield future)

    @coroutine
    def waits(future):
        yield None
        return (yield future)

    @coroutine
    def waits_for(future):
        return (yield future)

    return one_done, nested, waits, waits_for


def native():
    """The same, as coroutine functions that run as tasks."""
    task = asyncio.create_task

    async def one_done(future):
        return await future

    async def nested(future, depth):
        if depth:
            return await task(nested(future, depth - 1))
        return await future

    async def waits(future):
        await asyncio.sleep(0)
        return await future

    return (
        lambda future: task(one_done(future)),
        lambda future, depth: task(nested(future, depth)),
        lambda future: task(waits(future)),
        lambda future: task(one_done(future)),
    )


def calls(shapes):
    """Name to a function that runs it CALLS times."""
    one_done, nested, waits, waits_for = shapes

    async def run_one():
        future = done_future()
        for _ in range(CALLS):
            await one_done(future)

    async def run_nested():
        future = done_future()
        for _ in range(CALLS // 5):
            await nested(future, 4)

    async def run_waits():
        future = done_future()
        for _ in range(CALLS):
            await waits(future)

    async def run_pending():
        loop = asyncio.get_running_loop()
        for _ in range(CALLS):
            future = loop.create_future()
            # Not before a task has begun to wait for it.
            loop.call_soon(loop.call_soon, future.set_result, 1)
            await waits_for(future)

    async def run_many():
        future = done_future()
        for _ in range(CALLS // 100):
            await asyncio.gather(*[waits(future) for _ in range(100)])

    return {
        "yields a done future": run_one,
        "nested five deep": run_nested,
        "lets the loop run once": run_waits,
        "waits for a future": run_pending,
        "a hundred at a time": run_many,
    }


def hand_over(queue_class, lock_class):
    """Queues between two tasks, and a lock that many want."""

    async def unbounded():
        queue = queue_class()

        async def consume():
            for _ in range(CALLS):
                await queue.get()

        consumer = asyncio.create_task(consume())
        for number in range(CALLS):
            await queue.put(number)
        await consumer

    async def one_by_one():
        queue = queue_class(maxsize=1)

        async def consume():
            for _ in range(CALLS):
                await queue.get()

        consumer = asyncio.create_task(consume())
        for number in range(CALLS):
            await queue.put(number)
        await consumer

    async def ping_pong():
        there, back = queue_class(), queue_class()

        async def answer():
            for _ in range(CALLS // 2):
                await back.put(await there.get())

        other = asyncio.create_task(answer())
        for number in range(CALLS // 2):
            await there.put(number)
            await back.get()
        await other

    async def contended():
        lock = lock_class()

        async def work():
            for _ in range(CALLS // 10):
                async with lock:
                    await asyncio.sleep(0)

        await asyncio.gather(*[work() for _ in range(10)])

    return {
        "queue, no limit": unbounded,
        "queue, maxsize=1": one_by_one,
        "queue, there and back": ping_pong,
        "lock, ten tasks": contended,
    }


def best(runner, functions):
    """The best time of each, in microseconds a call; they take turns."""
    times = {name: float("inf") for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            start = time.perf_counter()
            runner.run(function())
            times[name] = min(times[name], (time.perf_counter() - start) / CALLS * 1e6)
    return times


def main():
    table = {
        "asyncio": calls(native()) | hand_over(asyncio.Queue, asyncio.Lock),
        "eyewall": calls(decorated(aio.coroutine)) | hand_over(aio.Queue, aio.Lock),
        "tornado": calls(decorated(tornado_gen.coroutine))
        | hand_over(tornado_queues.Queue, tornado_locks.Lock),
    }
    flat = {(who, what): run for who, runs in table.items() for what, run in runs.items()}
    with asyncio.Runner() as runner:
        times = best(runner, flat)
    print("| µs a call | asyncio | Eyewall | Tornado | Eyewall / asyncio |")
    print("| --- | --- | --- | --- | --- |")
    for what in table["asyncio"]:
        own, ours, theirs = (times[who, what] for who in table)
        print(f"| {what} | {own:.2f} | {ours:.2f} | {theirs:.2f} | {ours / own:.2f} |")


if __name__ == "__main__":
    main()
