"""What kind of application was named: one of Eyewall's own, WSGI or ASGI."""

import inspect
from typing import Any, Final

from eyewall.base.errors import StartupError
from eyewall.hosting import ASGIContainer, WSGIContainer

INTERFACES: Final = ("auto", "eyewall", "wsgi", "asgi")
_BY_ARGUMENTS: Final = {1: "eyewall", 2: "wsgi", 3: "asgi"}


def hosted(app: Any, interface: str = "auto") -> Any:
    """What serves exchanges by this application.

    Args:
        app: What was imported.
        interface: "eyewall", "wsgi", "asgi", or "auto" to find out.

    Raises:
        StartupError: There is no such interface, or what the application is cannot be found out.
    """
    if interface not in INTERFACES:
        raise StartupError(
            f"there is no interface {interface!r}; there are {', '.join(INTERFACES)}"
        )
    if interface == "auto":
        interface = interface_of(app)
    if interface == "asgi":
        return ASGIContainer(app)
    if interface == "wsgi":
        return WSGIContainer(app)
    return app


def interface_of(app: Any) -> str:
    """The interface of an application, by the arguments that it is called with.

    Raises:
        StartupError: They do not tell.
    """
    if getattr(app, "serves_exchanges", False):
        return "eyewall"
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    places = [
        parameter
        for parameter in parameters
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    ]
    open_ended = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    needed = [parameter for parameter in places if parameter.default is parameter.empty]
    interface = _BY_ARGUMENTS.get(len(needed) or len(places))
    if interface is None or open_ended:
        raise StartupError(
            "what kind of application this is cannot be found out; say it with "
            "--interface eyewall, wsgi or asgi"
        )
    return interface
