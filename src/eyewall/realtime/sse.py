"""Server-sent events: a handler whose answer goes on (HTML Standard, section 9.2)."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from eyewall.base.log import gen_log
from eyewall.pubsub import Gap, Hub, HubError, Message, Position, Subscription
from eyewall.realtime.engine import Exchange, StreamClosedError
from eyewall.realtime.events import HEARTBEAT, Event, encode_envelope, encode_event
from eyewall.realtime.fanout import Encode, TopicStream
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.handler.lifecycle import handle_exception

NO_POSITION: Final = Position("", 0)
"""An id that no log has given; who comes with it gets a gap."""

LONGEST_PAUSE_MS: Final = 1000
"""Clients of a server that goes away come back within this time."""

_tasks: Final[set["asyncio.Task[None]"]] = set()


class EventSourceHandler(RequestHandler):
    """Sends events until the client goes, or there are no more.

    Override either `events`, an async generator, or `topics` with `hub`: then messages of these
    topics are sent, beginning with those that the client has missed; that way costs nothing while
    nothing happens, and one call for all clients of the same topics when something does.

    Refuse clients in `prepare`. An `EventSource` in a browser comes back when the stream ends;
    status 204 in `prepare` makes it stop.

    Attributes:
        envelope: Whether events of topics have a message's id, topic and data as
            `{"id": ..., "topic": ..., "data": ...}`, and not the data alone: for clients that listen to
            several topics.
        heartbeat_s: Seconds between two comments that keep proxies from giving up; most of them
            wait for 60.
        retry_ms: Milliseconds that a client waits before it comes back; None leaves it to the
            client.
        max_unread_bytes: A client for whom more than this waits is cut off. It comes back, and
            gets what it missed.

    Example:
        >>> class Clock(EventSourceHandler):
        ...     async def events(self):
        ...         while True:
        ...             yield time.time()
        ...             await asyncio.sleep(1)
    """

    hub: Hub | None = None
    envelope: bool = False
    heartbeat_s: float = 25.0
    retry_ms: int | None = None
    max_unread_bytes: int = 1024 * 1024

    _subscription: Subscription | None = None
    _stream: TopicStream | None = None
    _task: "asyncio.Task[None] | None" = None
    _timer: asyncio.TimerHandle | None = None
    _unread: int = 0

    # What to override

    def events(self, *args: str, **kwargs: str) -> AsyncIterator[Any]:
        """Yield events: `Event`, text, bytes of UTF-8, or anything that becomes JSON."""
        raise NotImplementedError(
            f"{type(self).__name__} must define events(), or topics() and hub"
        )

    def topics(self, *args: str, **kwargs: str) -> Sequence[str] | None:
        """The topics of `hub` whose messages are sent; called with what the path gives."""
        return None

    # What happens

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that the client got.

        It is the header `Last-Event-ID`, or the argument of that name for the first connection,
        for which browsers cannot send a header.
        """
        sent = self.exchange.header("Last-Event-ID")
        if sent is None:
            given: str | None = self.get_query_argument("last-event-id", None)
            return given
        return sent.encode("latin-1", "replace").decode("utf-8", "replace")

    async def get(self, *args: str, **kwargs: str) -> None:
        """Begin the stream."""
        topics = self.topics(*args, **kwargs)
        if topics is not None and self.hub is None:
            raise RuntimeError(f"{type(self).__name__} defines topics(), so it must have a hub")
        events = self.events(*args, **kwargs) if topics is None else None
        self._auto_finish = False
        self.exchange.on_disconnect(self._gone)
        self.application.leaving.add(self._leave)
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache")
        # nginx would keep events until its buffer is full.
        self.set_header("X-Accel-Buffering", "no")
        self.write(
            HEARTBEAT if self.retry_ms is None else encode_event(Event(retry_ms=self.retry_ms))
        )
        try:
            await self.flush()
            if events is None:
                await self._follow(tuple(topics or ()))
                return
        except StreamClosedError:
            self._end()
            return
        except HubError as exc:
            # The client comes back by itself.
            gen_log.warning("%s has no events: %s", self._request_summary(), exc)
            self._end()
            return
        self._beat_later()
        self._task = asyncio.ensure_future(self._send_all(events))
        _tasks.add(self._task)
        self._task.add_done_callback(_tasks.discard)

    # Events of a generator

    async def _send_all(self, events: AsyncIterator[Any]) -> None:
        try:
            async for item in events:
                self.write(encode_event(item))
                await self.flush()
                self._beat_later()
        except StreamClosedError:
            pass
        except Exception as exc:  # noqa: BLE001 - the boundary of a handler
            self._clean_up()
            handle_exception(self, exc)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
            self._end()

    # Messages of topics

    async def _follow(self, topics: tuple[str, ...]) -> None:
        since: Position | None = None
        last = self.last_event_id
        if last is not None:
            try:
                since = Position.parse(last)
            except ValueError:
                since = NO_POSITION
        hub: Any = self.hub
        if self._transforms is None and isinstance(self.exchange, Exchange):
            self._stream = await TopicStream.of(hub, topics, self.heartbeat_s, self._encode)
        subscription = hub.subscribe(*topics, since=since, reader=self)
        self._subscription = subscription
        await subscription.start()
        if since is None:
            # A client that is lost before the first message must be able to say where it was.
            self._send(encode_event(Event(id=str(subscription.position))))
        if self._finished:
            subscription.close()
        elif not self._hand_over():
            self._beat_later()

    def _hand_over(self) -> bool:
        """Go on with the other clients of the same topics."""
        stream, subscription = self._stream, self._subscription
        if stream is None or subscription is None or self._finished or self._unread:
            return False
        if not stream.take_over(self.exchange, subscription, self._end):
            return False
        self._subscription = None
        subscription.close()
        if self._timer is not None:
            self._timer.cancel()
        return True

    @property
    def _encode(self) -> Encode:
        return encode_envelope if self.envelope else encode_event

    def deliver(self, batch: Sequence[Message]) -> None:
        """Send messages; the hub calls it."""
        self._send(b"".join([self._encode(message) for message in batch]))
        if self._stream is not None:
            # Not now: the others may not have got this batch yet.
            asyncio.get_running_loop().call_soon(self._hand_over)

    def gap(self, gap: Gap) -> None:
        """Send a gap; the hub calls it."""
        self._send(encode_event(gap))

    def ended(self, error: Exception | None) -> None:
        """End the stream, when it is still this client's own; the hub calls it."""
        if self._subscription is not None:
            self._end()

    # Writing

    def _send(self, data: bytes) -> None:
        if self._finished:
            return
        try:
            if self._transforms is not None:
                data = self._next_chunk(data, False)
            if data and not self.exchange.write(data):
                self._unread += len(data)
                if self._unread == len(data):
                    self._wait_for_room()
                if self._unread > self.max_unread_bytes:
                    self.exchange.abort()
                    self._gone()
        except StreamClosedError:
            self._gone()

    def _wait_for_room(self) -> None:
        def writable(error: Exception | None) -> None:
            self._unread = 0
            if error is None:
                self._hand_over()

        if self.exchange.when_writable(writable):
            self._unread = 0

    def _beat_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._finished:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.heartbeat_s, self._beat)

    def _beat(self) -> None:
        self._send(HEARTBEAT)
        self._beat_later()

    # The end

    def _gone(self) -> None:
        if not self._finished:
            self._clean_up()
            self._finished = True
            if not self._quiet:
                self._after_finish()
            self.on_connection_close()

    def _leave(self) -> None:
        """The server goes away: the client is to come back, and not all clients at once."""
        # No secret.
        pause_ms = random.randint(0, LONGEST_PAUSE_MS)  # noqa: S311
        self._send(encode_event(Event(retry_ms=pause_ms)))
        self._end()

    def _end(self) -> None:
        self._clean_up()
        if not self._finished:
            self.finish()

    def _clean_up(self) -> None:
        self.application.leaving.discard(self._leave)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.leave(self.exchange)
