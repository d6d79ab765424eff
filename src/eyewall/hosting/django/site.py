"""The Django site, and the handlers beside it, as one application."""

from typing import Any

import django
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

from eyewall.hosting.asgi.mount import ASGIContainer
from eyewall.hosting.django.conf import Conf, read
from eyewall.hosting.django.publish import attach
from eyewall.hosting.wsgi.mount import WSGIContainer
from eyewall.pubsub import Hub
from eyewall.web import Application, StaticFileHandler
from eyewall.web.handler.stock import FallbackHandler


class DjangoSite(Application):
    """Serves the handlers of the setting `EYEWALL`, then static files, then Django.

    Args:
        conf: What the setting says.
    """

    def __init__(self, conf: Conf) -> None:
        self.hub = Hub(conf.hub)
        """Where `publish` publishes; handlers have it as `self.application.hub`."""
        self._container = _container(conf)
        handlers = import_string(conf.handlers) if conf.handlers else []
        routes: list[Any] = list(handlers)
        if conf.static and not settings.DEBUG and settings.STATIC_ROOT and settings.STATIC_URL:
            prefix = settings.STATIC_URL.rstrip("/")
            routes.append((rf"{prefix}/(.*)", StaticFileHandler, {"path": settings.STATIC_ROOT}))
        routes.append((r".*", FallbackHandler, {"fallback": self._container}))
        super().__init__(routes, **{"access_log": True, **conf.settings})

    async def startup(self) -> None:
        """Start the hub and the site."""
        await super().startup()
        await self.hub.start()
        attach(self.hub)
        if isinstance(self._container, ASGIContainer):
            await self._container.startup()

    async def drain(self, deadline_s: float = 30.0) -> None:
        """End the site, then the hub."""
        await super().drain(deadline_s)
        if isinstance(self._container, ASGIContainer):
            await self._container.drain(deadline_s)
        attach(None)
        await self.hub.close()


def _container(conf: Conf) -> ASGIContainer | WSGIContainer:
    finds_static = (
        conf.static and settings.DEBUG and "django.contrib.staticfiles" in settings.INSTALLED_APPS
    )
    if conf.interface == "wsgi":
        wsgi: Any = get_wsgi_application()
        if finds_static:
            wsgi = StaticFilesHandler(wsgi)
        return WSGIContainer(wsgi)
    named = getattr(settings, "ASGI_APPLICATION", None)
    asgi: Any = import_string(named) if named else get_asgi_application()
    if finds_static:
        asgi = ASGIStaticFilesHandler(asgi)
    return ASGIContainer(asgi)


def make_app() -> DjangoSite:
    """The site of `DJANGO_SETTINGS_MODULE`: `eyewall run eyewall.hosting.django.site:make_app`.

    Raises:
        ImproperlyConfigured: There are no settings, or a part of them is wrong.
    """
    django.setup()
    if not settings.configured:
        raise ImproperlyConfigured("set DJANGO_SETTINGS_MODULE to the module of the settings")
    return DjangoSite(read())
