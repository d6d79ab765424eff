"""One client's topics over one transport. Hot path: messages pass through here."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, final

from eyewall.base.log import app_log
from eyewall.pubsub import Gap, Message, Position, Subscription
from eyewall.pubsub.access import Action
from eyewall.pubsub.client import HubClient
from eyewall.pubsub.presence_state import Change
from eyewall.pubsub.topics import check_topic
from eyewall.realtime.live.errors import TOLD, RefusedError, code_of
from eyewall.realtime.live.frames import (
    MOST_HISTORY,
    MOST_META_BYTES,
    Frame,
    History,
    Identify,
    Meta,
    Ping,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
    encode,
    ended_frame,
    gap_frame,
    message_frame,
    ok,
    presence_frame,
    refusal,
)

if TYPE_CHECKING:
    from eyewall.pubsub.presence import Tracked
    from eyewall.realtime.live.live import Live

_NO_POSITION: Final = Position("", 0)


@final
class _Topic:
    """One subscription of a client, as the hub's reader of it."""

    __slots__ = ("_held", "_pattern", "_session", "pattern", "subscription", "tracked", "unwatch")

    def __init__(self, session: "Session", pattern: str) -> None:
        self.pattern = pattern
        self.subscription: Subscription | None = None
        self.tracked: Tracked | None = None
        self.unwatch: Callable[[], None] | None = None
        self._session = session
        self._pattern = encode(pattern) if "*" in pattern else None
        # Until the answer has gone out, what comes waits behind it.
        self._held: list[bytes] | None = []

    def release(self) -> None:
        """The answer has gone; send what waits."""
        held, self._held = self._held, None
        for frame in held or ():
            self._session.send(frame)

    def send(self, frame: bytes) -> None:
        """Send a frame, or hold it."""
        if self._held is None:
            self._session.send(frame)
        else:
            self._held.append(frame)

    def deliver(self, batch: Sequence[Message]) -> None:
        """Send messages; the hub calls it."""
        for message in batch:
            self.send(message_frame(self._pattern, message))

    def gap(self, gap: Gap) -> None:
        """Tell of a gap; the hub calls it."""
        self.send(gap_frame(self.pattern, gap))

    def ended(self, error: Exception | None) -> None:
        """The subscription is over; the hub calls it."""
        if error is not None:
            self.send(ended_frame(self.pattern, code_of(error), str(error)))
        self._session.forget(self.pattern)

    def changed(self, change: Change) -> None:
        """Somebody has come or gone."""
        self.send(presence_frame(change))

    def close(self, linger_s: float) -> None:
        """End it; the presence stays for a moment where the client is about to come back."""
        if self.unwatch is not None:
            self.unwatch()
        tracked, self.tracked = self.tracked, None
        if tracked is not None:
            if linger_s:
                asyncio.get_running_loop().call_later(linger_s, tracked.leave)
            else:
                tracked.leave()


@final
class Session:
    """What a client does and gets over one connection.

    Args:
        live: The rules.
        client: The client's way to the hub.
        name: Whom others see in presence.
        send: Sends a frame.
    """

    def __init__(
        self, live: "Live", client: HubClient, name: str, send: Callable[[bytes], object]
    ) -> None:
        self._live = live
        self._client = client
        self._name = name
        self._topics: dict[str, _Topic] = {}
        self.send = send

    @property
    def identity(self) -> Any:
        """Who the client is."""
        return self._client.identity

    def close(self, linger_s: float = 0.0) -> None:
        """The connection is over.

        Args:
            linger_s: Seconds for which others still see the client.
        """
        topics, self._topics = self._topics, {}
        for topic in topics.values():
            topic.close(linger_s)
        self._client.close()

    def forget(self, pattern: str) -> None:
        """A subscription has ended."""
        topic = self._topics.pop(pattern, None)
        if topic is not None:
            topic.close(0.0)

    async def handle(self, frame: Frame) -> bytes | None:
        """Do what a frame says; returns the answer, or None when it has gone out."""
        try:
            answer: bytes | None = await _HANDLERS[type(frame)](self, frame)
        except TOLD as exc:
            return refusal(frame.n, code_of(exc), str(exc))
        except Exception:  # noqa: BLE001 - the boundary of the program's receivers and rules
            app_log.exception("A frame (%s) failed", type(frame).__name__.lower())
            return refusal(frame.n, "failed", "an error in the server")
        return answer

    async def _subscribe(self, frame: Subscribe) -> bytes | None:
        pattern = frame.topic
        if pattern in self._topics:
            raise RefusedError(f"{pattern!r} is subscribed to already", "twice")
        topic = _Topic(self, pattern)
        more: dict[str, Any] = {}
        since: Position | None = None
        if frame.since is not None:
            since = _position(frame.since)
        elif frame.history > 0:
            await self._client.allow(Action.SUBSCRIBE, pattern)
            past = await self._past(pattern, frame.history, None)
            more["history"] = [_raw(message) for message in past]
            since = past[-1].position if past else self._live.hub.position
        self._topics[pattern] = topic
        try:
            topic.subscription = await self._client.subscribe(pattern, since=since, reader=topic)
            if frame.presence:
                more["who"] = await self._follow(topic, frame.meta)
        except BaseException:
            self._topics.pop(pattern, None)
            topic.close(0.0)
            if topic.subscription is not None:
                self._client.unsubscribe(topic.subscription)
            raise
        # The place to begin with: what is held comes after it, and has ids of its own.
        start = since if since is not None else topic.subscription.position
        self.send(ok(frame.n, id=str(start), **more))
        topic.release()
        return None

    async def _follow(self, topic: _Topic, meta: Any) -> dict[str, list[Any]]:
        check_topic(topic.pattern)
        await self._client.allow(Action.PRESENCE, topic.pattern)
        await self._live.presence.start()
        if meta is not None:
            topic.tracked = self._live.presence.track(topic.pattern, self._name, _checked(meta))
        who = self._live.presence.who(topic.pattern)
        topic.unwatch = self._live.presence.watch(topic.pattern, topic.changed)
        return who

    async def _unsubscribe(self, frame: Unsubscribe) -> bytes:
        topic = self._topics.pop(frame.topic, None)
        if topic is not None:
            topic.close(0.0)
            if topic.subscription is not None:
                self._client.unsubscribe(topic.subscription)
        return ok(frame.n)

    async def _publish(self, frame: Publish) -> bytes:
        position = await self._client.publish(frame.topic, bytes(frame.data), key=frame.key)
        return ok(frame.n, id=str(position))

    async def _send(self, frame: Send) -> bytes:
        result = await self._live.received(self, frame.topic, frame.data)
        return ok(frame.n, data=result)

    async def _history(self, frame: History) -> bytes:
        await self._client.allow(Action.SUBSCRIBE, frame.topic)
        before = None if frame.before is None else _position(frame.before)
        past = await self._past(frame.topic, frame.limit, before)
        return ok(frame.n, history=[_raw(message) for message in past])

    async def _past(self, pattern: str, limit: int, before: Position | None) -> list[Message]:
        limit = min(max(limit, 1), MOST_HISTORY)
        return await self._live.hub.history(pattern, limit=limit, before=before)

    async def _meta(self, frame: Meta) -> bytes:
        topic = self._topics.get(frame.topic)
        if topic is None or topic.unwatch is None:
            raise RefusedError(f"{frame.topic!r} is not subscribed to with presence", "unknown")
        if topic.tracked is None:
            meta = _checked(frame.meta)
            topic.tracked = self._live.presence.track(frame.topic, self._name, meta)
        else:
            topic.tracked.update(_checked(frame.meta))
        return ok(frame.n)

    async def _identify(self, frame: Identify) -> bytes:
        await self._client.refresh(await self._live.authenticated(frame.token))
        return ok(frame.n)

    async def _ping(self, frame: Ping) -> bytes:
        return ok(frame.n)


_HANDLERS: Final[dict[type, Any]] = {
    Subscribe: Session._subscribe,  # noqa: SLF001 - the table of its own methods
    Unsubscribe: Session._unsubscribe,  # noqa: SLF001 - as above
    Publish: Session._publish,  # noqa: SLF001 - as above
    Send: Session._send,  # noqa: SLF001 - as above
    History: Session._history,  # noqa: SLF001 - as above
    Meta: Session._meta,  # noqa: SLF001 - as above
    Identify: Session._identify,  # noqa: SLF001 - as above
    Ping: Session._ping,  # noqa: SLF001 - as above
}


def _position(text: str) -> Position:
    """An id's position; of one that nobody has given, a position that leads to a gap."""
    try:
        return Position.parse(text)
    except ValueError:
        return _NO_POSITION


def _raw(message: Message) -> dict[str, Any]:
    return {"id": message.id, "topic": message.topic, "data": message.data}


def _checked(meta: Any) -> Any:
    if len(encode(meta)) > MOST_META_BYTES:
        raise RefusedError(f"what is told of a presence has at most {MOST_META_BYTES} bytes")
    return meta
