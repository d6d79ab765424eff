"""The address of its own for health checks, metrics and the status page."""

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from eyewall.base.log import gen_log
from eyewall.cli.options import Settings
from eyewall.cli.serve import addresses, close_sockets, open_place
from eyewall.http.exchange import Exchange
from eyewall.http.server.server import HTTPServer


@asynccontextmanager
async def admin_server(
    settings: Settings, site: Callable[[Exchange], Any], inherited: Sequence[int] = ()
) -> AsyncIterator[list[socket.socket]]:
    """Serve a site where `--admin` says, if it says so, while the block runs.

    Args:
        settings: All options.
        site: What is served.
        inherited: Descriptors of the sockets, when they are open already.

    Raises:
        StartupError: The address cannot be used.
    """
    if settings["admin"] is None:
        yield []
        return
    sockets = [socket.socket(fileno=fd) for fd in inherited] or open_place(settings["admin"])
    server = HTTPServer(site, limits={"connections": 1000})
    try:
        server.add_sockets(sockets)
        gen_log.info("Health checks and metrics are on %s", addresses(sockets, "http"))
        yield sockets
    finally:
        server.close()
        close_sockets(sockets)
