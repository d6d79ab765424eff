"""The Django setting `EYEWALL`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_NAMES: Final = {
    "HANDLERS": "handlers",
    "HUB": "hub",
    "INTERFACE": "interface",
    "SETTINGS": "settings",
    "STATIC": "static",
}


@dataclass(frozen=True, slots=True)
class Conf:
    """What the setting says.

    Attributes:
        handlers: Dotted path of a list of routes that stand beside the site.
        hub: URL of the hub's backplane; None for the default one.
        interface: "asgi", or "wsgi" for sites without async views.
        settings: Settings of the `Application`.
        static: Whether files below `STATIC_URL` are served.
    """

    handlers: str | None = None
    hub: str | None = None
    interface: str = "asgi"
    settings: Mapping[str, Any] = field(default_factory=dict)
    static: bool = True


def read() -> Conf:
    """The setting, checked.

    Raises:
        ImproperlyConfigured: It has a name or a value that is none.
    """
    given = getattr(settings, "EYEWALL", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured("EYEWALL must be a dict")
    unknown = set(given) - set(_NAMES)
    if unknown:
        names = ", ".join(sorted(_NAMES))
        raise ImproperlyConfigured(
            f"EYEWALL has no {', '.join(sorted(map(str, unknown)))}; there are {names}"
        )
    conf = Conf(**{_NAMES[name]: value for name, value in given.items()})
    if conf.interface not in {"asgi", "wsgi"}:
        raise ImproperlyConfigured(
            f'EYEWALL["INTERFACE"] is "asgi" or "wsgi", not {conf.interface!r}'
        )
    return conf
