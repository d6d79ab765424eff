"""Twisted on the same loop: its reactor, and Deferreds that can be awaited and yielded.

Importing this module makes `await deferred` work in every coroutine of asyncio, as it does in
those that Twisted runs, and `yield deferred` in decorated ones. It needs
`pip install 'eyewall[twisted]'`.
"""

import asyncio
import sys
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Final

from eyewall.aio.yielded import convert_yielded
from eyewall.loop.ioloop import IOLoop

try:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure
except ImportError as exc:
    raise ImportError("Deferreds need Twisted: pip install 'eyewall[twisted]'") from exc

_PENDING: Final = object()
_untyped: Final[Any] = Deferred
_twisteds_own: Final[Callable[[Any], Generator[Any, Any, Any]]] = _untyped.__await__


class _Waiting(_untyped):  # type: ignore[misc] # what it overrides is not as Twisted types it
    """What a coroutine that waits for a Deferred gives to whoever runs it.

    To Twisted it is a Deferred that fires when the other one does; an asyncio task finds in it
    what a task needs of a future. So the coroutine need not know which of them runs it.

    Args:
        awaited: The Deferred that is waited for.
    """

    def __init__(self, awaited: Any) -> None:
        super().__init__(lambda _: awaited.cancel())
        self._asyncio_future_blocking = True
        self._awaited = awaited
        self._wakeup: Callable[[], object] | None = None
        self._is_cancelled = False
        self.outcome: Any = _PENDING
        awaited.addBoth(self._arrived)

    def _arrived(self, result: Any) -> Any:
        if self._is_cancelled:
            # A failure would be the cancellation itself, which the task knows of.
            return None
        self.outcome = result
        if self._wakeup is None:
            self.callback(None)
        else:
            self._wakeup()
        # A failure is the coroutine's now; left here, Twisted would log that nobody has seen it.
        return None if isinstance(result, Failure) else result

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the task."""
        return asyncio.get_running_loop()

    def add_done_callback(
        self, wakeup: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """A task waits."""
        loop = asyncio.get_running_loop()
        self._wakeup = lambda: loop.call_soon(wakeup, self, context=context)
        # Only now, because Twisted takes an attribute of this name for its own.
        self.result = self._wait_is_over

    def _wait_is_over(self) -> None:
        # The coroutine takes the result from `outcome`.
        if self._is_cancelled:
            raise asyncio.CancelledError

    def cancel(self, msg: Any = None) -> bool:
        """Cancel what is waited for, as a task or as Twisted asks for it."""
        if self._wakeup is None:
            super().cancel()
            return True
        if self.outcome is not _PENDING or self._is_cancelled:
            return False
        self._is_cancelled = True
        self._awaited.cancel()
        self._wakeup()
        return True


def _await(deferred: Any) -> Generator[Any, Any, Any]:
    try:
        next(_twisteds_own(deferred))
    except StopIteration as end:
        return end.value
    waiting = _Waiting(deferred)
    yield waiting
    outcome = waiting.outcome
    if isinstance(outcome, Failure):
        outcome.raiseException()
    return outcome


def _future_of(deferred: Any) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = deferred.asFuture(asyncio.get_running_loop())
    return future


def install() -> Any:
    """Run Twisted's reactor on this thread's loop; nothing may have imported a reactor before.

    Called in a running loop, it starts the reactor too; otherwise `reactor.run()` runs both.

    Returns:
        The reactor.

    Raises:
        RuntimeError: Another reactor was imported already, or it is on another loop.
    """
    from twisted.internet import asyncioreactor  # noqa: PLC0415 - the choice of the program

    current = IOLoop.current()
    assert current is not None
    loop = current.asyncio_loop
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        choose: Any = asyncioreactor.install
        choose(loop)
        reactor = sys.modules["twisted.internet.reactor"]
        if loop.is_running():
            # The program's loop is run by somebody else, who handles its signals too.
            reactor.startRunning(installSignalHandlers=False)
        return reactor
    if getattr(reactor, "_asyncioEventloop", None) is not loop:
        raise RuntimeError(
            "Twisted has a reactor that is not on this loop; call install() before anything "
            "imports twisted.internet.reactor"
        )
    return reactor


_untyped.__await__ = _await
convert_yielded.register(Deferred, _future_of)
