"""`Live`: a hub's topics for browsers, over whatever transport reaches them."""

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar, final

from eyewall.pubsub import Hub
from eyewall.pubsub.access import Access, Rule
from eyewall.pubsub.client import ClientLimits
from eyewall.pubsub.presence import Presence
from eyewall.pubsub.topics import TopicTree, check_pattern
from eyewall.realtime.live.errors import RefusedError
from eyewall.realtime.live.handler import LiveHandler
from eyewall.realtime.live.session import Session
from eyewall.web import RequestHandler
from eyewall.web.rate_limit import MemoryRateLimits, Rate
from eyewall.web.routing.rules import URLSpec
from eyewall.web.static.handler import StaticFileHandler

Receiver = Callable[[Session, str, Any], Any | Awaitable[Any]]
R = TypeVar("R", bound=Receiver)
A = TypeVar("A", bound=Rule)

_ASSETS: Final = Path(__file__).parent / "assets"


@final
class Live:
    """Topics of a hub for the pages of a site.

    What no rule allows is forbidden; the rules are those of `Access`.

    Args:
        hub: The hub; by default a new one, which finds its backplane by itself.
        identify: Who a request comes from; called with its handler, and may be async. By
            default nobody in particular (None).
        authenticate: Who a token is; for clients that prove who they are by one. May be async,
            and raises `RefusedError` for a token that is none.
        limits: What each client may use.
        name: Whom others see in presence; called with the identity. By default the identity
            itself, as text; None is somebody new for each connection.

    Example:
        >>> live = Live()
        >>> @live.rule("rooms/*")
        ... def anybody(user, action, topic):
        ...     return True
        >>> app = Application([*live.routes("/live"), (r"/", Home)])
    """

    def __init__(
        self,
        hub: Hub | None = None,
        *,
        identify: Callable[[RequestHandler], Any] | None = None,
        authenticate: Callable[[str], Any] | None = None,
        limits: ClientLimits | None = None,
        name: Callable[[Any], str] | None = None,
    ) -> None:
        self.hub = hub or Hub()
        self.presence = Presence(self.hub)
        self.access = Access()
        self.limits = limits or ClientLimits()
        self._identify = identify
        self._authenticate = authenticate
        self.name = name
        burst, per_s = self.limits.burst, self.limits.publishes_per_s
        self._rate = Rate(burst, max(1, round(burst / per_s)))
        self._commands = MemoryRateLimits()
        self._receivers: TopicTree[tuple[int, Receiver]] = TopicTree()

    def rule(self, pattern: str) -> Callable[[A], A]:
        """Say who may do what with some topics, as a decorator; see `Access.rule`."""
        return self.access.rule(pattern)

    def receive(self, pattern: str) -> Callable[[R], R]:
        """Handle what clients send to some topics, as a decorator.

        The function is called with the client's session, the topic and the data, and may be async;
        what it returns is the client's answer. Raise `RefusedError` to refuse. Where several
        patterns fit, the one that was given first counts.

        Example:
            >>> @live.receive("rooms/*/say")
            ... async def say(session, topic, data):
            ...     await live.hub.publish(topic, {"by": session.identity, "text": data["text"]})

        Raises:
            ValueError: A pattern that is none.
        """
        check_pattern(pattern)

        def add(function: R) -> R:
            self._receivers.set(pattern, (len(self._receivers), function))
            return function

        return add

    def routes(self, prefix: str = "/live") -> list[URLSpec]:
        """The routes of the pages' connection, and of its program `eyewall.js`.

        Args:
            prefix: Their path.
        """
        files = {"path": _ASSETS}
        return [
            URLSpec(prefix, LiveHandler, {"live": self}),
            URLSpec(rf"{prefix}/(eyewall\.(?:js|d\.ts))", StaticFileHandler, files),
        ]

    async def identified(self, handler: RequestHandler) -> Any:
        """Who a request comes from."""
        if self._identify is None:
            return None
        found = self._identify(handler)
        return await found if inspect.isawaitable(found) else found

    def may_command(self, who: str) -> bool:
        """Count a command of a client without a connection; False when there are too many."""
        return self._commands.take(who, self._rate).allowed

    async def authenticated(self, token: str) -> Any:
        """Who a token is.

        Raises:
            RefusedError: It is none, or tokens are not taken.
        """
        if self._authenticate is None:
            raise RefusedError("this server takes no tokens", "unknown")
        found = self._authenticate(token)
        return await found if inspect.isawaitable(found) else found

    async def received(self, session: Session, topic: str, data: Any) -> Any:
        """Have the program answer what a client sent.

        Raises:
            RefusedError: Nobody receives it, or whoever does refuses.
        """
        fitting = sorted(self._receivers.match(topic), key=lambda item: item[0])
        if not fitting:
            raise RefusedError(f"nobody receives {topic!r}", "unknown")
        answer = fitting[0][1](session, topic, data)
        return await answer if inspect.isawaitable(answer) else answer
