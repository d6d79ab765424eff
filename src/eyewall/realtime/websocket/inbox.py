"""Messages that wait for somebody who iterates."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

ROOM: Final = 16


class Inbox:
    """A queue of messages, bounded by asking the sender to pause.

    Args:
        pause: Called when as many messages wait as may.
        resume: Called when a message is wanted again.
    """

    __slots__ = ("_closed", "_messages", "_pause", "_paused", "_resume", "_waiting")

    def __init__(self, pause: Callable[[], object], resume: Callable[[], object]) -> None:
        self._messages: deque[str | bytes] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._pause = pause
        self._resume = resume
        self._paused = False
        self._closed = False

    def put(self, message: str | bytes) -> None:
        """A message has come."""
        self._messages.append(message)
        if len(self._messages) >= ROOM and not self._paused:
            self._paused = True
            self._pause()
        self._wake()

    def close(self) -> None:
        """No more messages come; those that wait are still handed out."""
        self._closed = True
        self._wake()

    async def get(self) -> str | bytes | None:
        """The next message; None when there will be none.

        Raises:
            RuntimeError: Somebody else waits for a message already.
        """
        while not self._messages:
            if self._closed:
                return None
            if self._waiting is not None:
                raise RuntimeError("another task waits for this WebSocket's messages already")
            self._waiting = asyncio.get_running_loop().create_future()
            self._go_on()
            try:
                await self._waiting
            finally:
                self._waiting = None
        message = self._messages.popleft()
        if self._paused and len(self._messages) <= ROOM // 2:
            self._go_on()
        return message

    def _go_on(self) -> None:
        self._paused = False
        self._resume()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
