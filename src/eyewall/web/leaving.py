"""Whether an application's server goes away, and who wants to be told."""

import asyncio
from collections.abc import Callable
from typing import final

from eyewall.base.log import app_log


@final
class Leaving:
    """Answers that would go on for long are ended when their server goes away.

    Attributes:
        is_leaving: Whether it does.

    Example:
        >>> async def wait(request):
        ...     news = asyncio.get_running_loop().create_future()
        ...     app.leaving.add(news.cancel)
    """

    __slots__ = ("_told", "is_leaving")

    def __init__(self) -> None:
        self.is_leaving = False
        self._told: set[Callable[[], object]] = set()

    def add(self, callback: Callable[[], object]) -> None:
        """Call this once when the server goes away; soon, when it does so already."""
        if self.is_leaving:
            asyncio.get_running_loop().call_soon(callback)
        else:
            self._told.add(callback)

    def discard(self, callback: Callable[[], object]) -> None:
        """Do not call it any more."""
        self._told.discard(callback)

    def begin(self) -> int:
        """The server goes away: tell all; returns how many there were."""
        self.is_leaving = True
        told, self._told = self._told, set()
        for callback in told:
            try:
                callback()
            except Exception:  # noqa: BLE001 - one that fails must not keep the others here
                app_log.exception("Something that was to end failed to")
        return len(told)
