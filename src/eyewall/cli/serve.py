"""Serve one application in this process, until a signal ends it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eyewall.base.errors import StartupError
from eyewall.base.log import configure, gen_log
from eyewall.base.log_file import reopen_log_files
from eyewall.base.log_tail import install_log_tail
from eyewall.cli.dispatch import make_front, make_taker, named
from eyewall.cli.interface import hosted
from eyewall.cli.loader import load
from eyewall.cli.options import Settings
from eyewall.cli.scheduled import scheduled
from eyewall.cli.traced import traced
from eyewall.cli.watched import watched
from eyewall.http.server.server import HTTPServer
from eyewall.http.server.tls import load_tls
from eyewall.loop.policy import new_event_loop
from eyewall.net.sockets import (
    activated_sockets,
    bind_sockets,
    bind_unix_socket,
    inherited_socket,
)
from eyewall.ops.health import Health, HealthFront
from eyewall.ops.identify import RequestIds
from eyewall.ops.serving import Serving
from eyewall.ops.tracing import Tracing

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Served:
    """What is being served.

    Attributes:
        server: The server.
        sockets: Where it listens.
        stop: Makes it drain and end.
        stopping: Set when it does.
        health: What health checks are told.
    """

    server: Serving
    sockets: Sequence[socket.socket]
    stop: Callable[[], None]
    stopping: asyncio.Event
    health: Health


Attach = Callable[[Served], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class _Beside:
    """What `serve` was given beside the program and its settings."""

    sockets: Sequence[socket.socket]
    on_ready: Callable[[], None] | None
    life_fd: int | None
    attach: Attach | None
    debug: bool


@asynccontextmanager
async def _nothing(_served: Served) -> AsyncIterator[None]:
    yield


def open_sockets(settings: Settings, *, reuse_port: bool = False) -> list[socket.socket]:
    """The listening sockets that the settings ask for, or that systemd has opened.

    Raises:
        StartupError: One of them cannot be had.
    """
    if activated := activated_sockets():
        return activated
    sockets: list[socket.socket] = []
    places: list[str] = list(settings["bind"])
    if settings["fd"] is not None:
        places.append(f"fd://{settings['fd']}")
    if settings["unix"] is not None:
        places.append(f"unix:{settings['unix']}")
    if not places:
        return bind_sockets(settings["port"], settings["host"], reuse_port=reuse_port)
    for place in places:
        sockets.extend(open_place(place, reuse_port=reuse_port))
    return sockets


def open_place(place: str, *, reuse_port: bool = False) -> list[socket.socket]:
    """The listening sockets of `host:port`, `unix:PATH` or `fd://N`.

    Raises:
        StartupError: It is none of these, or cannot be had.
    """
    if place.startswith("fd://"):
        return [inherited_socket(_number(place.removeprefix("fd://"), place))]
    if place.startswith("unix:"):
        return [bind_unix_socket(place.removeprefix("unix:"))]
    host, colon, port = place.rpartition(":")
    if not colon:
        raise StartupError(f"{place!r} is not host:port, unix:PATH or fd://N")
    return bind_sockets(_number(port, place), host.strip("[]"), reuse_port=reuse_port)


def _number(text: str, place: str) -> int:
    if not text.isdigit():
        raise StartupError(f"{text!r} in {place!r} is no number")
    return int(text)


def addresses(sockets: Sequence[socket.socket], scheme: str) -> str:
    """What a person types to reach the server."""
    names: list[str] = []
    for sock in sockets:
        name = sock.getsockname()
        if sock.family == socket.AF_UNIX:
            names.append(f"unix:{name}")
        else:
            host = f"[{name[0]}]" if sock.family == socket.AF_INET6 else name[0]
            names.append(f"{scheme}://{host}:{name[1]}")
    return ", ".join(names)


def make_tls(settings: Settings) -> Any:
    """The TLS configuration that the settings ask for.

    Raises:
        StartupError: Certificates and keys do not pair up, or cannot be used.
    """
    certificates, keys = settings["certfile"], settings["keyfile"]
    if not certificates:
        if keys or settings["ca_certs"]:
            raise StartupError("--keyfile and --ca-certs need a --certfile")
        return None
    if keys and len(keys) != len(certificates):
        raise StartupError("each --certfile needs its --keyfile")
    pairs = list(zip(certificates, keys or certificates, strict=True))
    alpn = ("h2", "http/1.1") if settings["http2"] else ("http/1.1",)
    return load_tls(pairs, ca_certs=settings["ca_certs"], alpn=alpn)


def serve(
    target: str | None,
    settings: Settings,
    *,
    sockets: Sequence[socket.socket] = (),
    on_ready: Callable[[], None] | None = None,
    life_fd: int | None = None,
    attach: Attach | None = None,
    debug: bool = False,
) -> None:
    """Load the application and serve it until SIGTERM or SIGINT.

    Args:
        target: `module:attribute`.
        settings: All options.
        sockets: Listening sockets that somebody else has opened.
        on_ready: Called once the server serves, instead of printing where.
        life_fd: Descriptor that becomes readable when the server is to stop.
        attach: Makes what works beside the server: entered once it serves, left when it has
            drained.
        debug: Show tracebacks to clients.

    Raises:
        StartupError: It cannot be started.
    """
    configure(
        settings["log_level"],
        form=settings["log_format"],
        file=settings["log_file"],
        access=settings["access_log"],
    )
    if settings["status"]:
        install_log_tail()
    loop = new_event_loop(settings["loop"])
    asyncio.set_event_loop(loop)
    try:
        beside = _Beside(sockets, on_ready, life_fd, attach, debug)
        loop.run_until_complete(_serve(target, settings, beside))
    finally:
        loop.run_until_complete(_end_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end_tasks() -> None:
    """Cancel what still runs: its time to finish is over."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(target: str | None, settings: Settings, beside: _Beside) -> None:
    tls = make_tls(settings)
    opened = [] if beside.sockets or settings["from_redis"] else open_sockets(settings)
    try:
        app = _make_app(target, settings, debug=beside.debug)
        health = Health()
        served = list(beside.sockets) or opened
        if (startup := getattr(app, "startup", None)) is not None:
            await startup()
        server = await _begin(_fronted(app, settings, health), settings, tls, served)
        stop, quick = asyncio.Event(), asyncio.Event()
        _listen_to_signals(server, settings, stop, quick)
        attach = beside.attach or _nothing
        what = Served(server, served, stop.set, stop, health)
        async with (
            watched(app, server, settings),
            traced(wanted=settings["otel"]),
            scheduled(app, target, settings),
            attach(what),
        ):
            if beside.on_ready is None:
                banner(settings.what(target), where(settings, served))
            else:
                beside.on_ready()
            if beside.life_fd is not None:
                asyncio.get_running_loop().add_reader(
                    beside.life_fd, _orphaned, beside.life_fd, stop
                )
            await stop.wait()
            await _leave(server, app, settings, health, quick)
    finally:
        close_sockets(opened)


def where(settings: Settings, sockets: Sequence[socket.socket]) -> str:
    """Where requests come from."""
    if settings["from_redis"]:
        return f"requests of {named(settings['from_redis'])}"
    return addresses(sockets, "https" if settings["certfile"] else "http")


def _make_app(target: str | None, settings: Settings, *, debug: bool) -> Any:
    if settings.is_front:
        return make_front(settings)
    app = load(target, app_dir=settings["app_dir"], factory=settings["factory"])
    app = hosted(app, settings["interface"])
    if isinstance(getattr(app, "settings", None), dict):
        # Proxies cut connections that are silent, nginx after 60 seconds.
        app.settings.setdefault("websocket_ping_interval", settings["websocket_ping"])
        if debug:
            app.settings.setdefault("serve_traceback", True)
    return app


async def _begin(
    app: Any, settings: Settings, tls: Any, sockets: Sequence[socket.socket]
) -> Serving:
    """Serve from now on."""
    if settings["from_redis"]:
        taker = make_taker(app, settings)
        await taker.start()
        return taker
    server = _make_server(app, settings, tls)
    server.add_sockets(sockets)
    return server


def _make_server(app: Any, settings: Settings, tls: Any) -> HTTPServer:
    return HTTPServer(
        app,
        ssl_options=tls,
        protocols=("h2", "http/1.1") if settings["http2"] else ("http/1.1",),
        trusted=[name for name in settings["forwarded_allow_ips"].split(",") if name.strip()],
        proxy_protocol=settings["proxy_protocol"],
        server_header="Eyewall" if settings["server_header"] else None,
        limits=settings.limits(),
    )


def banner(target: str | None, where: str, note: str = "") -> None:
    """Say on standard error what is served, where, and by which process."""
    # A full disk for the log is no reason not to serve.
    with suppress(OSError):
        print(  # noqa: T201 - the banner
            f"Eyewall serves {target or 'the application'} on {where} "
            f"(pid {os.getpid()}{note}); stop with Ctrl-C",
            file=sys.stderr,
            flush=True,
        )


def close_sockets(sockets: Sequence[socket.socket]) -> None:
    """Close listening sockets, and remove the files of those that have one."""
    for sock in sockets:
        if sock.family == socket.AF_UNIX:
            Path(sock.getsockname()).unlink(missing_ok=True)
        sock.close()


def _listen_to_signals(
    server: Serving, settings: Settings, stop: asyncio.Event, quick: asyncio.Event
) -> None:
    loop = asyncio.get_running_loop()

    def signalled() -> None:
        (quick if stop.is_set() else stop).set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, signalled)
    loop.add_signal_handler(signal.SIGUSR1, reopen_log_files)
    if isinstance(server, HTTPServer) and settings["certfile"]:
        loop.add_signal_handler(signal.SIGHUP, _reload_tls, server, settings)


def _orphaned(life_fd: int, stop: asyncio.Event) -> None:
    asyncio.get_running_loop().remove_reader(life_fd)
    stop.set()


def _fronted(app: Any, settings: Settings, health: Health) -> Any:
    """The application behind what is to see its requests first; itself where nothing is."""
    if settings["otel"]:
        app = Tracing(app)
    if settings["request_ids"]:
        app = RequestIds(app)
    if settings["health"]:
        app = HealthFront(app, health)
    return app


async def _leave(
    server: Serving, app: Any, settings: Settings, health: Health, quick: asyncio.Event
) -> None:
    """Stop being ready, then accepting, then serving; `quick` cuts it short."""
    health.is_draining = True
    if settings["drain_delay"]:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(quick.wait(), settings["drain_delay"])
    running = server.stats()["exchanges"]
    if running:
        gen_log.info("Stopping: %d requests are still running", running)
    drain = asyncio.ensure_future(_drain(server, app, settings["timeout_graceful_shutdown"]))
    hurry = asyncio.ensure_future(quick.wait())
    await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
    for waiting in (drain, hurry):
        waiting.cancel()
    server.close()
    gen_log.info("Stopped")


async def _drain(server: Serving, app: Any, deadline_s: float) -> None:
    """Let requests finish, then the work that they have left behind."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    if (leave := getattr(app, "leave", None)) is not None:
        leave()
    await server.drain(deadline_s)
    drain = getattr(app, "drain", None)
    if drain is not None:
        await drain(max(0.0, end - loop.time()))


def _reload_tls(server: HTTPServer, settings: Settings) -> None:
    try:
        server.set_tls(make_tls(settings))
    except StartupError as exc:
        gen_log.error("The certificates were not reloaded: %s", exc)
    else:
        gen_log.info("The certificates were reloaded")
