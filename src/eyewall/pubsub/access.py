"""Who may do what with which topics, and for how long."""

import enum
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, final

from eyewall.pubsub.errors import ForbiddenError
from eyewall.pubsub.topics import check_pattern, covers, overlaps


class Action(enum.Enum):
    """What a client wants to do with a topic."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    PRESENCE = "presence"
    """Be seen in a topic, and see who else is there."""


@final
@dataclass(frozen=True, slots=True)
class Grant:
    """Leave that ends.

    Attributes:
        until: When, in seconds since 1970: the end of the client's token, for example. Then the
            rule is asked again.
    """

    until: float


Answer = bool | Grant
Rule = Callable[[Any, Action, str], Answer | Awaitable[Answer]]
R = TypeVar("R", bound=Rule)


@final
class Access:
    """Rules by topic. What no rule allows is forbidden.

    The first rule that was given for all of the wanted topics decides. Before it, rules for some
    of them are asked too: who subscribes to "rooms/*" needs the leave of a rule for "rooms/staff"
    that was given before.

    Example:
        >>> access = Access()
        >>> @access.rule("rooms/*")
        ... def members(user, action, topic):
        ...     return user is not None and topic.partition("/")[2] in user["rooms"]
    """

    def __init__(self) -> None:
        self._rules: list[tuple[str, Rule]] = []

    def rule(self, pattern: str) -> Callable[[R], R]:
        """Give a rule for topics, as a decorator.

        The function is called with the client's identity, the action, and the topic, or the
        pattern that the client wants to subscribe to. It returns True, False or a `Grant`, and may
        be async.

        Raises:
            ValueError: A pattern that is none.
        """
        check_pattern(pattern)

        def add(function: R) -> R:
            self._rules.append((pattern, function))
            return function

        return add

    async def check(self, identity: Any, action: Action, topic: str) -> float | None:
        """Ask the rules.

        Args:
            identity: Who wants it.
            action: What.
            topic: A topic, or a pattern.

        Returns:
            Until when it is allowed, in seconds since 1970; None for ever.

        Raises:
            ForbiddenError: It is not allowed.
        """
        until: float | None = None
        for pattern, function in self._rules:
            if not overlaps(pattern, topic):
                continue
            answer = function(identity, action, topic)
            if inspect.isawaitable(answer):
                answer = await answer
            if isinstance(answer, Grant):
                until = answer.until if until is None else min(until, answer.until)
            elif answer is not True:
                break
            if covers(pattern, topic):
                return until
        raise ForbiddenError(f"{action.value} {topic!r} is not allowed")
