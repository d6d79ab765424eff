"""The address of its own for health checks, metrics and the status page."""

import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import gen_log
from eyewall.base.stats import Family
from eyewall.cli.options import Settings
from eyewall.cli.serve import addresses, close_sockets, open_place
from eyewall.http.server.server import HTTPServer
from eyewall.ops.admin import AdminSite
from eyewall.ops.messages import Handle
from eyewall.ops.status.feed import Feed
from eyewall.ops.status.page import PREFIX, StatusPage


def check_admin(settings: Settings) -> None:
    """Look whether the page would be open to others.

    Raises:
        ConfigurationError: It would, or there is no address for it.
    """
    if not settings["status"]:
        return
    place = settings["admin"]
    if place is None:
        raise ConfigurationError("--status needs an address of its own: --admin 127.0.0.1:9090")
    if settings["admin_password"] is None and not _is_local(place):
        raise ConfigurationError(
            f"{place} can be reached from elsewhere, so the status page needs a password: "
            "EYEWALL_ADMIN_PASSWORD"
        )


def _is_local(place: str) -> bool:
    if place.startswith("unix:"):
        return True
    host = place.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@asynccontextmanager
async def admin_server(
    settings: Settings,
    why_not_ready: Callable[[], str | None],
    metrics: Callable[[], Awaitable[Sequence[Family]]],
    handle: Handle,
    inherited: Sequence[int] = (),
) -> AsyncIterator[list[socket.socket]]:
    """Serve what is beside the application where `--admin` says, while the block runs.

    Args:
        settings: All options.
        why_not_ready: None while requests are welcome; else the reason.
        metrics: What is counted.
        handle: Answers what the status page asks.
        inherited: Descriptors of the sockets, when they are open already.

    Raises:
        StartupError: The address cannot be used.
        ConfigurationError: The status page would be open to everybody.
    """
    check_admin(settings)
    if settings["admin"] is None:
        yield []
        return
    page = StatusPage(Feed(handle), settings["admin_password"]) if settings["status"] else None
    sockets = [socket.socket(fileno=fd) for fd in inherited] or open_place(settings["admin"])
    server = HTTPServer(AdminSite(why_not_ready, metrics, page), limits={"connections": 1000})
    try:
        server.add_sockets(sockets)
        gen_log.info("Health checks and metrics are on %s", addresses(sockets, "http"))
        if page is not None:
            gen_log.info("The status page is under %s", PREFIX)
        yield sockets
    finally:
        if page is not None:
            await page.close()
        server.close()
        close_sockets(sockets)
