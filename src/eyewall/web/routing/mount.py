"""An application under a prefix of another one's paths."""

import re
from typing import Any, final

from eyewall.http.exchange import Exchange
from eyewall.web.routing.router import Observer, observe_in
from eyewall.web.routing.rules import PathMatches, Rule


@final
class Mount(Rule):
    """A rule that gives all paths below a prefix to an application, which sees them without it.

    Args:
        prefix: The path's beginning, for example "/admin".
        app: An application, another router, or anything else that serves exchanges.
        name: For `reverse_url`; its argument is the path below the prefix.

    Example:
        >>> from eyewall.web import Application
        >>> admin = Application([(r"/users", lambda request: "users")])
        >>> site = Application([Mount("/admin", admin)])

    Raises:
        ValueError: The prefix does not begin with "/", or ends with it.
    """

    def __init__(self, prefix: str, app: Any, name: str | None = None) -> None:
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ValueError(f'a prefix begins with "/" and does not end with it, not {prefix!r}')
        super().__init__(PathMatches(f"{re.escape(prefix)}((?:/.*)?)"), app, None, name)
        self.prefix = prefix


class MountedExchange:
    """An exchange as the application below a prefix sees it."""

    __slots__ = ("_exchange", "path", "root_path")

    def __init__(self, exchange: Exchange, prefix: str) -> None:
        self._exchange = exchange
        self.root_path = getattr(exchange, "root_path", "") + prefix
        self.path = exchange.path[len(prefix) :] or "/"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)


class MountRoute:
    """Serves what is below a prefix."""

    __slots__ = ("_app", "_prefix")

    def __init__(self, rule: Mount) -> None:
        self._app = rule.target
        self._prefix = rule.prefix

    def serve(self, exchange: Exchange, _args: tuple[str, ...], _kwargs: dict[str, str]) -> None:
        """Handle one request."""
        self._app(MountedExchange(exchange, self._prefix))

    @property
    def prefix(self) -> str:
        """What its paths begin with."""
        return self._prefix

    @property
    def app(self) -> Any:
        """What serves them."""
        return self._app

    def observe(self, observer: Observer, prefix: str) -> None:
        """Let the application tell of its answers, if it can."""
        observe_in(self._app, observer, prefix + self._prefix)
