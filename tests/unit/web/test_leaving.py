"""Who is told when an application's server goes away."""

import asyncio
import logging

from eyewall.web.leaving import Leaving


def test_all_are_told_once_and_those_who_have_left_are_not():
    told = []
    leaving = Leaving()
    one, two = (lambda: told.append(1)), (lambda: told.append(2))
    leaving.add(one)
    leaving.add(two)
    leaving.discard(two)
    assert leaving.begin() == 1
    assert leaving.begin() == 0
    assert told == [1]
    assert leaving.is_leaving


def test_who_comes_late_is_told_soon():
    async def main():
        leaving = Leaving()
        leaving.begin()
        told = asyncio.Event()
        leaving.add(told.set)
        assert not told.is_set()
        await asyncio.wait_for(told.wait(), 10)

    asyncio.run(main())


def test_one_that_fails_keeps_no_other_from_being_told(caplog):
    told = []
    leaving = Leaving()
    leaving.add(lambda: 1 / 0)
    leaving.add(lambda: told.append(1))
    with caplog.at_level(logging.ERROR):
        assert leaving.begin() == 2
    assert told == [1]
    assert "ZeroDivisionError" in caplog.text
