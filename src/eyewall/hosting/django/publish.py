"""Publishing from views, signals and tasks: from any thread of the process."""

import asyncio
import concurrent.futures
from collections.abc import Awaitable
from typing import Any, Final

from eyewall.base.log import app_log
from eyewall.pubsub import Hub

_WAIT_S: Final = 10.0


class _Live:
    """The hub of the site that this process serves."""

    hub: Hub | None = None
    loop: asyncio.AbstractEventLoop | None = None


def attach(hub: Hub | None) -> None:
    """Have `publish` use this hub, in the running loop; None detaches it."""
    _Live.hub = hub
    _Live.loop = None if hub is None else asyncio.get_running_loop()


def publish(topic: str, data: Any, *, key: str | None = None, wait: bool = False) -> None:
    """Publish a message to the site's hub, from any thread.

    Outside of a served site, as in `manage.py shell` or a test, nobody listens: nothing happens.
    Call it from `transaction.on_commit` where it tells of what the transaction has saved.

    Args:
        topic: The topic.
        data: Anything that JSON knows.
        key: What it is about, for readers that want only the latest message of each.
        wait: Wait until the message is kept; only from another thread than the loop's.

    Raises:
        ValueError: A topic that is none.
        RuntimeError: `wait` on the loop's own thread.
        TimeoutError: The backplane did not take it within 10 seconds.

    Example:
        >>> @receiver(post_save, sender=Note)
        ... def tell(instance, **kwargs):
        ...     transaction.on_commit(lambda: publish("notes", {"id": instance.pk}))
    """
    hub, loop = _Live.hub, _Live.loop
    if hub is None or loop is None or loop.is_closed():
        return
    try:
        here = asyncio.get_running_loop() is loop
    except RuntimeError:
        here = False
    if here:
        if wait:
            raise RuntimeError("publish(wait=True) would wait for its own thread")
        _watch(asyncio.ensure_future(_sent(hub.publish(topic, data, key=key))))
        return
    done: concurrent.futures.Future[None] = concurrent.futures.Future()

    def send() -> None:
        try:
            task = asyncio.ensure_future(_sent(hub.publish(topic, data, key=key)))
        except Exception as exc:  # noqa: BLE001 - handed to the thread that has called
            done.set_exception(exc)
            return
        _watch(task, done)

    loop.call_soon_threadsafe(send)
    if wait:
        done.result(_WAIT_S)


async def _sent(kept: Awaitable[object]) -> None:
    await kept


def _watch(
    task: "asyncio.Task[None]", done: "concurrent.futures.Future[None] | None" = None
) -> None:
    """Keep a publication alive, and tell of its failure."""
    _running.add(task)

    def finished(task: "asyncio.Task[None]") -> None:
        _running.discard(task)
        error = None if task.cancelled() else task.exception()
        if done is not None and not done.done():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
        if error is not None:
            app_log.error("A message could not be published: %s", error)

    task.add_done_callback(finished)


_running: Final[set["asyncio.Task[None]"]] = set()
