"""Event and Condition."""

import asyncio
import datetime

import pytest

from eyewall.aio import Condition, Event

NOW = datetime.timedelta(0)
LONG = datetime.timedelta(hours=1)


def test_an_event_wakes_all_who_wait_and_all_who_come(run):
    async def main():
        event = Event()
        assert (event.is_set(), repr(event)) == (False, "<Event clear>")
        early = [event.wait(), event.wait(LONG)]
        event.set()
        event.set()
        assert (event.is_set(), repr(event)) == (True, "<Event set>")
        await asyncio.gather(*early, event.wait())
        event.clear()
        assert not event.wait().done()

    run(main)


def test_who_waited_is_woken_though_the_flag_is_cleared_at_once(run):
    async def main():
        event = Event()
        waiting = event.wait()
        event.set()
        event.clear()
        await waiting

    run(main)


def test_an_events_time_out_raises(run):
    async def main():
        event = Event()
        with pytest.raises(TimeoutError):
            await event.wait(NOW)
        assert not event._waiters

    run(main)


def test_a_notice_wakes_as_many_as_it_says_in_order(run):
    async def main():
        condition = Condition()
        waiting = [condition.wait() for _ in range(5)]
        assert repr(condition) == "<Condition waiters[5]>"
        condition.notify()
        condition.notify(2)
        assert [future.done() for future in waiting] == [True, True, True, False, False]
        condition.notify_all()
        assert await asyncio.gather(*waiting) == [True] * 5
        assert repr(condition) == "<Condition>"
        condition.notify(3)

    run(main)


def test_who_is_late_gets_false_and_uses_up_no_notice(run):
    async def main():
        condition = Condition()
        late, patient = condition.wait(NOW), condition.wait(LONG)
        assert await late is False
        condition.notify()
        assert await patient is True
        assert patient.timer.cancelled()

    run(main)


def test_a_notice_for_a_task_that_is_cancelled_goes_on(run):
    async def main():
        condition = Condition()

        async def wait():
            return await condition.wait()

        doomed, heir = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        condition.notify()
        doomed.cancel()
        assert await heir is True

    run(main)
