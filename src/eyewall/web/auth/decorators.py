"""Who may call a verb."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from eyewall.web.errors import HTTPError
from eyewall.web.handler.decorators import authenticated
from eyewall.web.handler.handler import RequestHandler

Method = Callable[..., Any]
Predicate = Callable[[Any], bool | Awaitable[bool]]

__all__ = ["authenticated", "requires"]


def requires(predicate: Predicate) -> Callable[[Method], Method]:
    """Serve only users for whom `predicate` holds.

    Those who are not logged in are treated as by `authenticated`; others get 403.

    Args:
        predicate: Takes the handler, returns whether the request is allowed; may be async.

    Example:
        >>> def is_editor(handler):
        ...     return "editor" in handler.current_user["roles"]
        >>> class Article(RequestHandler):
        ...     @requires(is_editor)
        ...     def delete(self, number): ...
    """
    name = getattr(predicate, "__name__", type(predicate).__name__)

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def checked(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
            allowed = predicate(self)
            if inspect.isawaitable(allowed):
                return later(self, allowed, *args, **kwargs)
            _insist(allowed, name)
            return method(self, *args, **kwargs)

        async def later(
            self: RequestHandler, allowed: Awaitable[bool], *args: Any, **kwargs: Any
        ) -> Any:
            _insist(await allowed, name)
            result = method(self, *args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return authenticated(checked)

    return decorate


def _insist(allowed: object, name: str) -> None:
    if not allowed:
        raise HTTPError(403, "the user may not do this: %s does not hold", name)
