"""`eyewall front` and `eyewall run --from-redis`: requests that go through Redis."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from eyewall.base.errors import ConfigurationError
from eyewall.cli.options import Settings
from eyewall.ops.dispatch.front import Front, FrontLimits
from eyewall.ops.dispatch.server import DispatchServer
from eyewall.ops.dispatch.wire import Keys


def make_front(settings: Settings) -> Front:
    """What serves a front's exchanges."""
    limits = FrontLimits(queue=settings["dispatch_queue"], wait_s=settings["dispatch_wait"])
    return Front(settings["redis"], Keys(settings["dispatch_name"]), limits)


def make_taker(app: Callable[[Any], object], settings: Settings) -> DispatchServer:
    """What takes requests from Redis for an application."""
    return DispatchServer(
        app,
        settings["from_redis"],
        Keys(settings["dispatch_name"]),
        settings["dispatch_concurrency"],
        settings["claim_after"],
    )


def check_dispatch(verb: str, settings: Settings) -> None:
    """Look whether the settings fit each other.

    Raises:
        ConfigurationError: They do not.
    """
    if verb == "front" and not settings["redis"]:
        raise ConfigurationError("front needs the address of a Redis: --redis redis://localhost")
    if verb == "front" and settings["from_redis"]:
        raise ConfigurationError("front hands requests to Redis; --from-redis is for run")
    if settings["from_redis"] and (settings["bind"] or settings["unix"] or settings["certfile"]):
        raise ConfigurationError("with --from-redis there is nothing to listen on; fronts listen")


def named(url: str) -> str:
    """A Redis's address as it may stand in a log: without the password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
