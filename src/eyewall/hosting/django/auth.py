"""Django's session and user in handlers."""

from importlib import import_module
from typing import Any

from eyewall.web import RequestHandler


class DjangoMixin(RequestHandler):
    """Gives a handler, a WebSocket's too, the session and the user of the Django site beside it.

    Both are loaded before the verb: `self.session` is Django's session store, and
    `self.current_user` the user, None for an anonymous one. Override `prepare` as a coroutine
    that calls `await super().prepare()` first.

    Example:
        >>> class Live(DjangoMixin, WebSocketHandler):
        ...     def open(self):
        ...         self.write_message(f"hello {self.current_user}")
    """

    session: Any

    async def prepare(self) -> None:
        """Load the session and the user."""
        # Django's modules can be imported when its settings are there, and not before.
        from django.conf import settings  # noqa: PLC0415
        from django.contrib.auth import aget_user  # noqa: PLC0415
        from django.http import HttpRequest  # noqa: PLC0415

        request: Any = HttpRequest()
        engine = import_module(settings.SESSION_ENGINE)
        key = self.get_cookie(settings.SESSION_COOKIE_NAME)
        self.session = request.session = engine.SessionStore(key)
        user = await aget_user(request)
        self.current_user = user if user.is_authenticated else None
