"""The queue of messages between the engine and somebody who iterates."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.realtime.websocket.inbox import ROOM, Inbox


class Sender:
    """What is asked to pause and to go on."""

    def __init__(self):
        self.paused = False
        self.inbox = Inbox(self.pause, self.resume)

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False


def test_messages_come_out_in_order_and_then_the_end(run):
    async def main():
        inbox = Sender().inbox
        for number in range(5):
            inbox.put(str(number))
        inbox.close()
        assert [await inbox.get() for _ in range(7)] == ["0", "1", "2", "3", "4", None, None]

    run(main)


def test_who_waits_is_woken_by_a_message_and_by_the_end(run):
    async def main():
        inbox = Sender().inbox
        waiting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task waits"):
            await inbox.get()
        inbox.put("x")
        assert await waiting == "x"
        waiting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        inbox.close()
        assert await waiting is None

    run(main)


def test_who_gives_up_waiting_loses_nothing(run):
    async def main():
        inbox = Sender().inbox
        waiting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        inbox.put("x")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await inbox.get() == "x"

    run(main)


@given(steps=st.lists(st.booleans(), max_size=200))
def test_a_sender_that_minds_the_pause_keeps_the_queue_short(run, steps):
    async def main():
        sender = Sender()
        sent = taken = 0
        for put in steps:
            if put and not sender.paused:
                sender.inbox.put(str(sent))
                sent += 1
            elif not put and taken < sent:
                assert await sender.inbox.get() == str(taken)
                taken += 1
            assert sent - taken <= ROOM
            # It is never paused with nothing to take, or it would be for ever.
            assert not (sender.paused and sent == taken)

    run(main)
