"""`RequestHandler`: the class that users subclass."""

import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from eyewall.base.lazy import lazy
from eyewall.base.log import app_log, gen_log
from eyewall.base.request_ids import choose_request_id, request_id_var
from eyewall.http.exchange_stream import ExchangeStream
from eyewall.web.debug_page import error_page
from eyewall.web.engine import escape_html
from eyewall.web.errors import HTTPError, reason_phrase
from eyewall.web.handler.rendering import Rendering

if TYPE_CHECKING:
    import asyncio

    from eyewall.http.exchange import Exchange
    from eyewall.http.request import HTTPServerRequest
    from eyewall.web.application import Application

T = TypeVar("T")
_PLAIN_REASON: Final = re.compile(r"[\t !#$%()*+,\-./0-9:;=?@A-Z\[\]^_`a-z{|}~\x80-\xff]*")
_BODILESS: Final = frozenset({204, 304})


class RequestHandler(Rendering):
    """Handles one request: define the methods of the verbs that you serve.

    Override `initialize`, `prepare`, the verbs, `on_finish`, `on_connection_close`,
    `set_default_headers`, `write_error`, `log_exception`, `compute_etag` and
    `decode_argument`. Verbs and `prepare` may be async.

    Example:
        >>> class Hello(RequestHandler):
        ...     def get(self, name: str) -> None:
        ...         self.write(f"Hello, {name}")
    """

    SUPPORTED_METHODS: tuple[str, ...] = (
        "GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS",
    )  # fmt: skip

    max_body_size: int | None = None
    """Largest body in bytes; None leaves it to the server."""

    _auto_finish: bool = True
    _stream_request_body: bool = False
    # What log lines say instead of the target.
    _logged_target: str | None = None
    # Whether verbs may be replaced after the route was made.
    _late_verbs: bool = False
    _has_session: bool = False
    _logged_at: float = 0.0
    _label: str = ""

    def __init__(
        self,
        application: "Application",
        request: "HTTPServerRequest | Exchange",
        **kwargs: Any,
    ) -> None:
        exchange: Any = getattr(request, "exchange", request)
        self.application = application
        self.exchange = exchange
        self.clear()
        self.initialize(**kwargs)

    def initialize(self, **kwargs: Any) -> None:
        """Called first, with the keyword arguments that the route was given."""
        if kwargs:
            names = ", ".join(kwargs)
            raise TypeError(
                f"{type(self).__name__} takes no arguments from its route, but got {names}; "
                "define initialize() with them"
            )

    def prepare(self) -> Awaitable[None] | None:
        """Called before the verb; may be async, and may finish the request."""

    async def load_session(self) -> None:
        """Called before `prepare` in handlers that have a session; see `SessionMixin`."""

    def on_finish(self) -> None:
        """Called after the answer was sent."""

    def on_connection_close(self) -> None:
        """Called when the client goes away before the answer is complete."""

    def _unserved(self, *_args: str, **_kwargs: str) -> NoReturn:
        raise HTTPError(405)

    head: Callable[..., Any] = _unserved
    get: Callable[..., Any] = _unserved
    post: Callable[..., Any] = _unserved
    delete: Callable[..., Any] = _unserved
    patch: Callable[..., Any] = _unserved
    put: Callable[..., Any] = _unserved
    options: Callable[..., Any] = _unserved

    @property
    def settings(self) -> dict[str, Any]:
        """The application's settings."""
        return self.application.settings

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """Raise an exception unless the application has this setting."""
        if not self.application.settings.get(name):
            raise RuntimeError(
                f"you must set {name!r} in the application's settings to use {feature}"
            )

    @lazy
    def request_id(self) -> str:
        """What the log calls this request: `X-Request-ID`, the trace's id, or a new name."""
        current = request_id_var.get()
        if current is not None:
            return current
        header = self.exchange.header
        return choose_request_id(header("X-Request-ID"), header("traceparent"))

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Start work that goes on when the request has been answered.

        It belongs to the application: it is awaited before the process stops, and what it
        raises is logged with the request's id.

        Raises:
            TypeError: It is no coroutine.
        """
        label = getattr(coroutine, "__qualname__", "background work")
        return self.application.background.spawn(coroutine, label=label, request_id=self.request_id)

    def reverse_url(self, name: str, *args: Any) -> str:
        """The URL of a named route."""
        return self.application.reverse_url(name, *args)

    def detach(self) -> ExchangeStream:
        """Take the connection away from HTTP, and answer by its bytes.

        Nothing is sent by itself, and the request counts as finished. What has come of a body
        that was not read, and what follows it, is read from the stream.

        Raises:
            RuntimeError: The answer was begun, or the request came by HTTP/2.
        """
        stream = ExchangeStream(self.exchange)
        self._headers_written = self._finished = True
        return stream

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Called with each piece of the body of a handler that streams it."""
        raise NotImplementedError(
            f"{type(self).__name__} streams its body, so it must define data_received()"
        )

    def body_complete(self) -> None:
        """Called when the whole body of a handler that streams it has come."""

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with an error; `kwargs` are passed to `write_error`.

        When the head has gone already, the connection is cut: the client must not take half
        an answer for a whole one.
        """
        if self._headers_written:
            gen_log.error("Cannot send error response after headers written")
            self._finished = True
            self.exchange.abort()
            self._after_finish()
            return
        self.clear()
        error = kwargs.get("exc_info", (None, None, None))[1]
        reason = kwargs.get("reason") or getattr(error, "reason", None)
        if reason and _PLAIN_REASON.fullmatch(reason) is None:
            # It may come from the request, and stands in the page too.
            reason = "Unknown"
        self.set_status(status_code, reason)
        try:
            if status_code in _BODILESS:
                self.finish()
                return
            self.write_error(status_code, **kwargs)
        except Exception:  # noqa: BLE001 - an error page that fails must not hide the error
            app_log.exception("Uncaught exception in write_error")
        if not self._finished:
            self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the page of an error; override it for your own.

        Args:
            status_code: The answer's status.
            kwargs: `exc_info` holds the exception, where there is one.
        """
        error = kwargs.get("exc_info", (None, None, None))[1]
        if error is not None and self.application.settings.get("serve_traceback"):
            kind, page = error_page(self.exchange, status_code, error)
            self.set_header("Content-Type", kind)
            self.finish(page)
            return
        reason = escape_html(self._reason or reason_phrase(status_code))
        title = f"{status_code}: {reason}"
        self.finish(f"<html><title>{title}</title><body>{title}</body></html>")

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what a handler raised; override it to log more."""
        if isinstance(value, HTTPError):
            if value.log_message:
                text = value.log_message % value.args
                gen_log.warning("%d %s: %s", value.status_code, self._request_summary(), text)
        else:
            app_log.error(
                "Uncaught exception %s", self._request_summary(), exc_info=(typ, value, tb)
            )

    def _request_summary(self) -> str:
        request = self.request
        target = self._logged_target or request.uri
        return f"{request.method} {target} ({request.remote_ip})"

    def hide_query(self) -> None:
        """Keep the query out of all log lines about this request: it holds a code or a token."""
        self._logged_target = self.exchange.path

    def _after_finish(self) -> None:
        application = self.application
        if application.observer is not None:
            seconds = time.monotonic() - self._logged_at
            application.observer(self._label, self.exchange.method, self._status_code, seconds)
        if application.logs_requests:
            application.log_request(self)
        if type(self).on_finish is not RequestHandler.on_finish:
            self.on_finish()
