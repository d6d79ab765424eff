"""`op`: what a call returns, as a future."""

import asyncio

import pytest

from eyewall.aio import coroutine, op


async def later(value, *, plus=0):
    await asyncio.sleep(0)
    return value + plus


def broken():
    raise LookupError("no such table")


def test_coroutines_plain_values_and_errors_are_yielded(run):
    @coroutine
    def work():
        assert (yield op(later, 1, plus=2)) == 3
        assert (yield op(len, "four")) == 4
        with pytest.raises(LookupError, match="no such table"):
            yield op(broken)
        assert (yield [op(later, 1), op(len, "")]) == [1, 0]
        return "done"

    async def main():
        assert await work() == "done"
        assert await op(later, 5) == 5

    run(main)


def test_it_begins_at_once(run):
    begun = []

    async def note():
        begun.append(1)

    async def main():
        future = op(note)
        await asyncio.sleep(0)
        assert begun == [1]
        await future

    run(main)
