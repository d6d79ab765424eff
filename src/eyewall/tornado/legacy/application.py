"""`Application` with the defaults of Tornado's."""

from collections.abc import Iterable
from typing import Any

from eyewall.ops import autoreload
from eyewall.tornado.legacy.static import StaticFileHandler
from eyewall.tornado.legacy.stock import ErrorHandler
from eyewall.web import application


class Application(application.Application):
    """As `eyewall.web.Application`, with handlers that programs for Tornado can subclass.

    With the setting `debug`, or `autoreload` alone, the program starts itself anew when one of
    its files changes.
    """

    def __init__(
        self,
        handlers: Iterable[Any] | None = None,
        default_host: str | None = None,
        transforms: Iterable[Any] | None = None,
        **settings: Any,
    ) -> None:
        settings.setdefault("static_handler_class", StaticFileHandler)
        settings.setdefault("default_handler_class", ErrorHandler)
        super().__init__(handlers, default_host, transforms, **settings)
        if settings.setdefault("autoreload", bool(settings.get("debug"))):
            autoreload.start()
