"""Long polling: an answer that waits for news."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, final

import msgspec

from eyewall.pubsub import BackplaneError, Callback, Gap, Hub, Message, Position, Subscription
from eyewall.realtime.sse import NO_POSITION
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler

_JSON: Final = "application/json; charset=UTF-8"


@final
class News(msgspec.Struct, frozen=True):
    """What a poll finds.

    Attributes:
        id: What the client asks with next.
        messages: The messages, oldest first.
        gap: Why messages before these are missing; None when none are.
    """

    id: str
    messages: list[Message]
    gap: str | None = None


async def wait_for_news(hub: Hub, *topics: str, since: str | None, timeout_s: float = 25.0) -> News:
    """Wait for messages.

    Args:
        hub: The hub.
        topics: Topics, or patterns of them.
        since: The id that the client got last. With None there is nothing to wait for: the
            answer is the id to begin with.
        timeout_s: Seconds after which the answer is empty.

    Raises:
        BackplaneError: The hub cannot be reached.
    """
    if since is None:
        await hub.start()
        return News(str(hub.position), [])
    messages: list[Message] = []
    reason: str | None = None
    async with hub.subscribe(*topics, since=position_of(since)) as subscription:
        try:
            async with asyncio.timeout(timeout_s):
                item: Message | Gap | None = await anext(subscription)
        except TimeoutError:
            return News(str(subscription.position), [])
        while item is not None:
            if isinstance(item, Gap):
                reason = item.reason
                messages.clear()
            else:
                messages.append(item)
            item = subscription.next_now()
        return News(str(subscription.position), messages, reason)


def position_of(text: str) -> Position:
    """The position of an id; of one that nobody has given, a position that leads to a gap."""
    try:
        return Position.parse(text)
    except ValueError:
        return NO_POSITION


class _Body:
    """The answer for a batch, made once for all who get just that."""

    __slots__ = ("batch", "body")

    def __init__(self) -> None:
        self.batch: Sequence[Message] | None = None
        self.body = b""

    def of(self, batch: Sequence[Message]) -> bytes:
        if self.batch is not batch:
            self.batch = batch
            self.body = encode_news(batch[-1].id, batch, None)
        return self.body


_shared: Final = _Body()


def encode_news(last: str, messages: Sequence[Message], gap: str | None) -> bytes:
    """An answer's body: {"id": ..., "messages": [{"id", "topic", "data"}], "gap": ...}."""
    listed = b",".join([message.envelope for message in messages])
    encode = msgspec.json.encode
    return b'{"id":%b,"messages":[%b],"gap":%b}' % (encode(last), listed, encode(gap))


class LongPollHandler(RequestHandler):
    """Answers when there are messages, or after some time.

    Set `hub` and define `topics`. The client asks with the argument `since`: the `id` of the last
    answer, so that nothing is lost between two polls. Without it the answer comes at once, and is
    the id to begin with.

    Attributes:
        timeout_s: Seconds after which the answer is empty; less than the 60 of most proxies.
        empty_status: Status of an empty answer: 200 with an empty list and a new id, or 204 or 304
            without a body, after which the client asks with the same id again.

    Example:
        >>> class Wait(LongPollHandler):
        ...     hub = hub
        ...
        ...     def topics(self, room):
        ...         return [f"rooms/{room}"]
    """

    hub: Hub | None = None
    timeout_s: float = 25.0
    empty_status: int = 200

    _subscription: Subscription | None = None
    _timer: asyncio.TimerHandle | None = None
    _missing: Gap | None = None

    def topics(self, *args: str, **kwargs: str) -> Sequence[str]:
        """The topics that the client waits for; called with what the path gives."""
        raise NotImplementedError(f"{type(self).__name__} must define topics()")

    async def get(self, *args: str, **kwargs: str) -> None:
        """Answer now, or wait.

        Raises:
            HTTPError: 503: the hub cannot be reached.
        """
        hub: Any = self.hub
        if hub is None:
            raise RuntimeError(f"{type(self).__name__} must have a hub")
        topics = self.topics(*args, **kwargs)
        since = self.get_query_argument("since", None)
        # What was answered at one time is no answer for another.
        self.set_header("Cache-Control", "no-store")
        self.exchange.on_disconnect(self._gone)
        try:
            await hub.start()
            if since is None:
                self._answer(encode_news(str(hub.position), (), None))
                return
            self._auto_finish = False
            reader = Callback(self._deliver, self._gap, self._ended)
            subscription = hub.subscribe(*topics, since=position_of(since), reader=reader)
            self._subscription = subscription
            await subscription.start()
        except BackplaneError as exc:
            self._auto_finish = True
            raise HTTPError(503, "the hub cannot be reached: %s", exc) from exc
        if self._finished:
            subscription.close()
        elif self._missing is not None:
            missing = self._missing
            self._answer(encode_news(missing.id, (), missing.reason))
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.timeout_s, self._nothing)
            # To a server that goes away the client comes back at once, and finds another.
            self.application.leaving.add(self._nothing)

    def _deliver(self, batch: Sequence[Message]) -> None:
        if self._missing is None:
            self._answer(_shared.of(batch))
        else:
            self._answer(encode_news(batch[-1].id, batch, self._missing.reason))

    def _gap(self, gap: Gap) -> None:
        self._missing = gap
        if self._timer is not None:
            # It waits already, and what follows may be long in coming.
            self._answer(encode_news(gap.id, (), gap.reason))

    def _ended(self, _error: Exception | None) -> None:
        # The hub was closed; the client comes back to one that is not.
        self._nothing()

    def _nothing(self) -> None:
        if self._finished:
            return
        if self.empty_status == 200 and self._subscription is not None:
            self._answer(encode_news(str(self._subscription.position), (), None))
        else:
            self.set_status(self.empty_status)
            self._answer(b"")

    def _answer(self, body: bytes) -> None:
        if self._finished:
            return
        if body:
            self.set_header("Content-Type", _JSON)
            # An entity tag would cost more than it saves: no two answers are the same.
            self._own_etag = _no_etag
        self.finish(body)
        self._clean_up()

    def _gone(self) -> None:
        if not self._finished:
            self._finished = True
            self._clean_up()
            if not self._quiet:
                self._after_finish()
            self.on_connection_close()

    def _clean_up(self) -> None:
        self.application.leaving.discard(self._nothing)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()


def _no_etag(_body: bytes) -> None:
    return None
