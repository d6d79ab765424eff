"""`HTTPServer` with the arguments that Tornado's has."""

import asyncio
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from eyewall.base.log import app_log, gen_log
from eyewall.http.delegates import HTTPServerConnectionDelegate
from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.http.exchange import Exchange
from eyewall.http.request import HTTPServerRequest
from eyewall.http.server.server import HTTPServer as _HTTPServer
from eyewall.tornado.legacy.changed_exchange import behind_proxies, with_scheme
from eyewall.tornado.legacy.notices import TornadoNoticeLog
from eyewall.tornado.legacy.pieces import in_pieces
from eyewall.tornado.legacy.raw_connection import RawConnection
from eyewall.web.routing.router import Router

# The engine has buffers of its own, and limits a body's slowness by its rate.
_WITHOUT_MEANING: Final = frozenset({"body_timeout", "max_buffer_size"})


class HTTPServer(_HTTPServer):
    """Serves an application, a connection delegate, or a function of requests.

    Args:
        request_callback: What is served; a function is called with each whole request, and
            answers through `request.connection`.
        no_keep_alive: Close each connection after its first answer.
        chunk_size: Largest piece of a body that `data_received` gets, in bytes.
        protocol: "http" or "https", where something in front speaks TLS and does not say so.
        xheaders: Believe `X-Real-Ip`, `X-Forwarded-For`, `X-Scheme` and `X-Forwarded-Proto` of
            everyone who connects.
        trusted_downstream: Proxies that are left out of `X-Forwarded-For`.
        options: Those of `eyewall.http.server.HTTPServer`. Tornado's sizes of buffers are taken
            and have no effect.
    """

    def __init__(
        self,
        request_callback: Any,
        *,
        no_keep_alive: bool = False,
        chunk_size: int | None = None,
        protocol: str | None = None,
        xheaders: bool = False,
        trusted_downstream: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        known = {name: value for name, value in options.items() if name not in _WITHOUT_MEANING}
        if no_keep_alive:
            known["limits"] = {**known.get("limits", {}), "keep_alive_requests": 1}
        if isinstance(known.get("ssl_options"), ssl.SSLContext):
            raise TypeError(
                "the engine reads certificates by itself: give ssl_options a dict with certfile "
                "and keyfile, or a TLSConfig, instead of an SSLContext"
            )
        if isinstance(known.get("ssl_options"), dict):
            _check_files(known["ssl_options"])
        target = serving(request_callback)
        if protocol is not None:
            target = with_scheme(target, protocol)
        if xheaders:
            target = behind_proxies(target, trusted_downstream or ())
        super().__init__(target if chunk_size is None else in_pieces(target, chunk_size), **known)
        self._options["on_notice"] = TornadoNoticeLog()

    def start(self, num_processes: int | None = 1, max_restarts: int | None = None) -> None:
        """Serve what was bound, in this process; see `eyewall run --workers` for more of them.

        Raises:
            ValueError: More than one process is asked for.
        """
        if num_processes != 1:
            raise ValueError(
                "this server runs in one process; start several with eyewall run --workers, or "
                "fork with tornado.process.fork_processes before add_sockets"
            )
        super().start()


def _check_files(ssl_options: Mapping[str, Any]) -> None:
    """Raise what Tornado raises for files that are not there."""
    for name in (ssl_options["certfile"], ssl_options.get("keyfile"), ssl_options.get("ca_certs")):
        if name is not None:
            os.stat(name)


def serving(target: Any) -> Callable[[Exchange], object]:
    """What a server is given for an application, a delegate, or a function of requests."""
    takes_exchanges = getattr(target, "serves_exchanges", False)
    if takes_exchanges or isinstance(target, Router | HTTPServerConnectionDelegate):
        return target  # type: ignore[no-any-return]  # what was asked for above
    if not callable(target):
        raise TypeError(f"{target!r} is no application, connection delegate or function")

    def serve(exchange: Exchange) -> None:
        def arrived(body: bytes | Exception) -> None:
            if isinstance(body, Exception):
                _refuse(exchange, body)
            else:
                request = HTTPServerRequest(exchange, body)
                request.connection = RawConnection(exchange)
                _call(target, request)

        try:
            body = exchange.read_all(arrived) if exchange.has_body else b""
        except ProtocolError as exc:
            _refuse(exchange, exc)
            return
        if body is not None:
            arrived(body)

    return serve


def _call(function: Callable[[HTTPServerRequest], Any], request: HTTPServerRequest) -> None:
    try:
        result = function(request)
        if asyncio.iscoroutine(result):
            task = asyncio.ensure_future(result)
            _running.add(task)
            task.add_done_callback(_running.discard)
    except Exception:  # noqa: BLE001 - the boundary of a callback
        app_log.exception("Uncaught exception %s %s", request.method, request.uri)
        if request.exchange.responded:
            request.exchange.abort()
        else:
            request.exchange.respond(500, {}, b"")


def _refuse(exchange: Exchange, error: Exception) -> None:
    if isinstance(error, ProtocolError):
        exchange.respond(error.status, {}, b"")
    elif isinstance(error, StreamClosedError):
        gen_log.debug("%s %s: %s", exchange.method, exchange.target, error)


_running: Final[set["asyncio.Future[Any]"]] = set()
