"""What one client from outside may do with a hub: rules, limits, and the end of its leave."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from eyewall.base.log import gen_log
from eyewall.pubsub.access import Access, Action
from eyewall.pubsub.delivery import Overflow, Reader
from eyewall.pubsub.errors import ForbiddenError, TooManyError
from eyewall.pubsub.hub import Hub
from eyewall.pubsub.message import Position
from eyewall.pubsub.subscription import Subscription

_LONGEST_TIMER_S = 86_400.0


@final
@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What one client may use.

    Attributes:
        topics: Topics, and patterns, that it is subscribed to at a time.
        publishes_per_s: Messages a second that it may publish in the long run.
        burst: Messages that it may publish at once.
    """

    topics: int = 100
    publishes_per_s: float = 10.0
    burst: int = 50


@final
class HubClient:
    """One client's way to a hub.

    Args:
        hub: The hub.
        identity: Who it is, as the rules understand it.
        access: The rules.
        limits: What it may use.
    """

    def __init__(
        self,
        hub: Hub,
        identity: Any,
        access: Access,
        *,
        limits: ClientLimits = ClientLimits(),
    ) -> None:
        self._hub = hub
        self._identity = identity
        self._access = access
        self._limits = limits
        self._timers: dict[Subscription, asyncio.TimerHandle | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted = 0
        self._tokens = float(limits.burst)
        self._counted_at = time.monotonic()

    @property
    def identity(self) -> Any:
        """Who it is."""
        return self._identity

    def close(self) -> None:
        """End its subscriptions."""
        for subscription in list(self._timers):
            self.unsubscribe(subscription)
        for task in self._tasks:
            task.cancel()

    async def allow(self, action: Action, topic: str) -> None:
        """Go on when it may do this.

        Raises:
            ForbiddenError: It may not.
        """
        await self._access.check(self._identity, action, topic)

    async def publish(self, topic: str, body: bytes | str, *, key: str | None = None) -> Position:
        """Publish what the client sent.

        Args:
            topic: The topic.
            body: JSON.
            key: What it is about.

        Raises:
            TooManyError: It publishes too often.
            ForbiddenError: It may not publish there.
            InvalidMessageError: It is no JSON, or not of the topic's type.
            ValueError: A topic that is none.
            BackplaneError: It is not known whether the message is kept.
        """
        self._count()
        await self.allow(Action.PUBLISH, topic)
        return await self._hub.publish_json(topic, body, key=key)

    def _count(self) -> None:
        limits, now = self._limits, time.monotonic()
        gained = (now - self._counted_at) * limits.publishes_per_s
        self._tokens = min(float(limits.burst), self._tokens + gained)
        self._counted_at = now
        if self._tokens < 1:
            raise TooManyError(f"more than {limits.publishes_per_s:g} messages a second")
        self._tokens -= 1

    async def subscribe(
        self,
        *patterns: str,
        since: Position | str | None = None,
        reader: Reader | None = None,
        limit: int = 1000,
        overflow: Overflow = Overflow.DROP_OLDEST,
    ) -> Subscription:
        """Subscribe, as by `Hub.subscribe`, and begin.

        When its leave ends and is not given again, the subscription ends with `ForbiddenError`.

        Raises:
            TooManyError: It has too many topics.
            ForbiddenError: It may not subscribe to one of them.
            ValueError: A pattern, or an id, that is none.
            BackplaneError: What was missed cannot be read.
        """
        for each in [each for each in self._timers if each.is_closed]:
            self._drop(each, None)
        if self._wanted + len(patterns) > self._limits.topics:
            raise TooManyError(f"more than {self._limits.topics} topics")
        subscription = self._hub.subscribe(
            *patterns, since=since, reader=reader, limit=limit, overflow=overflow
        )
        if any(pattern.startswith("$") for pattern in patterns):
            raise ForbiddenError("topics that begin with $ are the hub's own")
        self._wanted += len(subscription.patterns)
        try:
            until = await self._until(subscription.patterns)
            await subscription.start()
        except BaseException:
            self._wanted -= len(subscription.patterns)
            raise
        self._timers[subscription] = None
        self._set_timer(subscription, until)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        self._drop(subscription, None)

    async def refresh(self, identity: Any) -> None:
        """Be somebody else from now on, or the same with a new token.

        Subscriptions that this one may not have end with `ForbiddenError`.
        """
        self._identity = identity
        for subscription in list(self._timers):
            await self._renew(subscription)

    async def _until(self, patterns: Sequence[str]) -> float | None:
        ends = [
            await self._access.check(self._identity, Action.SUBSCRIBE, each) for each in patterns
        ]
        return min((end for end in ends if end is not None), default=None)

    def _set_timer(self, subscription: Subscription, until: float | None) -> None:
        if subscription not in self._timers:
            return
        before = self._timers[subscription]
        if before is not None:
            before.cancel()
        self._timers[subscription] = None
        if until is not None:
            loop = asyncio.get_running_loop()
            rest_s = min(max(0.0, until - time.time()), _LONGEST_TIMER_S)
            self._timers[subscription] = loop.call_later(rest_s, self._ask_again, subscription)

    def _ask_again(self, subscription: Subscription) -> None:
        task = asyncio.ensure_future(self._renew(subscription))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew(self, subscription: Subscription) -> None:
        try:
            until = await self._until(subscription.patterns)
        except ForbiddenError as exc:
            self._drop(subscription, exc)
        except Exception as exc:  # noqa: BLE001 - a rule that fails must not leave the door open
            gen_log.error("A rule failed, so its topics were closed: %r", exc)
            self._drop(subscription, ForbiddenError("the leave could not be renewed"))
        else:
            if until is not None and until <= time.time():
                self._drop(subscription, ForbiddenError("the leave has ended"))
            else:
                self._set_timer(subscription, until)

    def _drop(self, subscription: Subscription, error: Exception | None) -> None:
        if subscription in self._timers:
            timer = self._timers.pop(subscription)
            if timer is not None:
                timer.cancel()
            self._wanted -= len(subscription.patterns)
        subscription.close(error)
