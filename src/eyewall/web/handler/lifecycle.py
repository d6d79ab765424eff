"""One request's life in a class handler: make, prepare, verb, finish. Hot path.

What can be known of a handler class is found out once, when its route is made; a request
then pays only for the hooks that its class overrides. For a plain GET this file is entered
once (`ClassRoute.serve`), which calls the verb and `finish`.
"""

import asyncio
import sys
import time
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from eyewall.base.log import app_log, gen_log
from eyewall.base.request_ids import in_request
from eyewall.http.body import read_piece
from eyewall.http.exchange import Exchange
from eyewall.http.forms import FormError
from eyewall.loop.eager import start_task
from eyewall.web.engine import ProtocolError, StreamClosedError
from eyewall.web.errors import Finish, HTTPError
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.handler.response_output import DONE
from eyewall.web.typed.validation import ValidationError
from eyewall.web.typed.verbs import typed_verb

if TYPE_CHECKING:
    from eyewall.web.application import Application
    from eyewall.web.typed.parameters import Plan

# RFC 9110, section 9.2.1, but for TRACE, which nobody serves.
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TOO_LARGE: Final = 413
_running: Final[set["asyncio.Task[Any]"]] = set()


class ClassRoute:
    """Serves requests with instances of one handler class."""

    __slots__ = (
        "_checks_origin",
        "_checks_xsrf",
        "_closes",
        "_cors",
        "_default_headers",
        "_has_session",
        "_headers",
        "_initializes",
        "_inlines",
        "_own_etag",
        "_prepares",
        "_quiet",
        "_streams",
        "_transforms",
        "_verbs",
        "application",
        "decodes",
        "handler_class",
        "kwargs",
        "label",
        "plans",
        "sources",
    )

    def __init__(
        self,
        application: "Application",
        handler_class: type[RequestHandler],
        kwargs: dict[str, Any],
        *,
        label: str | None = None,
    ) -> None:
        base = RequestHandler
        self.label = label or handler_class.__qualname__
        self.application = application
        self.handler_class = handler_class
        self.kwargs = kwargs
        self._inlines = (
            handler_class.__init__ is base.__init__ and handler_class.clear is base.clear
        )
        self._initializes = bool(kwargs) or handler_class.initialize is not base.initialize
        self._default_headers = handler_class.set_default_headers is not base.set_default_headers
        self._has_session = handler_class._has_session
        self._prepares = handler_class.prepare is not base.prepare or self._has_session
        self._closes = handler_class.on_connection_close is not base.on_connection_close
        self._own_etag = handler_class.compute_etag is not base.compute_etag
        self._quiet = not application.times_requests and handler_class.on_finish is base.on_finish
        # Where they differ from request to request, they are asked for.
        differ = application.headers_differ or application.hsts is not None
        self._headers = None if differ else application.default_headers
        self._transforms = application.transforms
        self._cors = application.cors
        self._checks_xsrf = bool(application.settings.get("xsrf_cookies"))
        self._checks_origin = bool(application.settings.get("cross_origin_protection"))
        self.decodes = not handler_class._plain_arguments
        self._streams = handler_class._stream_request_body
        self._verbs: dict[str, Any] = {}
        self.plans: dict[str, Plan] = {}
        self.sources: dict[str, Any] = {}
        for method in handler_class.SUPPORTED_METHODS:
            verb = getattr(handler_class, method.lower(), None)
            if verb is not None and verb is not base._unserved:
                self._verbs[method], plan = typed_verb(verb, method)
                self.sources[method] = verb
                if plan is not None:
                    self.plans[method] = plan
                elif handler_class._late_verbs:
                    self._verbs[method] = _looked_up(method.lower())

    @property
    def methods(self) -> list[str]:
        """The methods that its class serves."""
        return list(self._verbs)

    def observe(self, _observer: Any, prefix: str) -> None:
        """Answers are timed from now on; the application's observer is told of each."""
        self.label = prefix + self.label
        self._quiet = False

    def serve(  # noqa: C901, PLR0912, PLR0915 - one frame: each call saved is paid by every request
        self, exchange: Exchange, args: tuple[str, ...], kwargs: dict[str, str]
    ) -> None:
        """Handle one request."""
        if self._cors is not None and self._cors.preflight(exchange):
            return None
        handler_class = self.handler_class
        if self._inlines:
            # The same as __init__ does, without its calls.
            handler = handler_class.__new__(handler_class)
            handler.application = self.application
            handler.exchange = exchange
            handler._headers = (
                self._headers.copy()
                if self._headers is not None
                else self.application.headers_for(exchange)
            )
        else:
            handler = handler_class(self.application, exchange, **self.kwargs)
        if args or kwargs:
            handler.path_args = args
            handler.path_kwargs = kwargs
        if self._own_etag:
            handler._own_etag = _OwnEtag(handler)
        if self._quiet:
            handler._quiet = True
        elif self.application.times_requests:
            handler._logged_at = time.monotonic()
            handler._label = self.label
        if self._transforms:
            handler._transforms = [make(handler.request) for make in self._transforms]
        try:
            if self.decodes and (args or kwargs):
                args, kwargs = _decoded(handler, args, kwargs)
            if self._inlines:
                if self._default_headers:
                    handler.set_default_headers()
                if self._initializes:
                    handler.initialize(**self.kwargs)
            if self._closes:
                exchange.on_disconnect(handler.on_connection_close)
            if self._checks_origin and exchange.method not in _SAFE:
                handler.check_cross_origin()
            verb = self._verbs.get(exchange.method)
            if verb is None:
                if not self._prepares:
                    return self._unserved(handler)
                verb = self._unserved_verb
            if exchange.has_body:
                return self._with_body(handler, verb)
            if self._prepares or self._checks_xsrf:
                return self._prepare(handler, verb)
            result = verb(handler, *args, **kwargs)
            if result is not None:
                return self._wait_for(handler, result)
            if handler._auto_finish and not handler._finished:
                handler.finish()
        except Exception as exc:  # noqa: BLE001 - the boundary of a handler
            handle_exception(handler, exc)

    def _with_body(self, handler: RequestHandler, verb: Any) -> None:
        exchange = handler.exchange
        limit = handler.max_body_size
        if limit is not None:
            exchange.set_body_limit(limit)
        if self._streams:
            self._start(handler, self._run_streamed(handler, verb))
            return

        def arrived(body: bytes | Exception) -> None:
            if isinstance(body, Exception):
                body_failed(handler, body)
                return
            handler._receive(body)
            self._start_verb(handler, verb)

        try:
            body = exchange.read_all(in_request(arrived))
        except ProtocolError as exc:
            body_failed(handler, exc)
            return
        if body is not None:
            handler._receive(body)
            self._start_verb(handler, verb)

    def _start_verb(self, handler: RequestHandler, verb: Any) -> None:
        try:
            if self._prepares or self._checks_xsrf:
                return self._prepare(handler, verb)
            result = verb(handler, *handler.path_args, **handler.path_kwargs)
            if result is not None:
                return self._wait_for(handler, result)
            if handler._auto_finish and not handler._finished:
                handler.finish()
        except Exception as exc:  # noqa: BLE001 - the boundary of a handler
            handle_exception(handler, exc)

    def _unserved(self, handler: RequestHandler) -> None:
        """A method that the class has no verb for (RFC 9110, sections 15.5.6 and 9.3.7)."""
        allowed = ", ".join(sorted({*self._verbs, "OPTIONS"}))
        try:
            if handler.exchange.method == "OPTIONS":
                handler.set_header("Allow", allowed)
                handler.set_status(204)
                handler.finish()
                return
            raise HTTPError(405)  # noqa: TRY301 - answered below, as any handler's error
        except HTTPError as exc:
            handle_exception(handler, exc, {"Allow": allowed})

    def _unserved_verb(self, handler: RequestHandler, *_args: str, **_kwargs: str) -> None:
        self._unserved(handler)

    def _prepare(self, handler: RequestHandler, verb: Any) -> None:
        if self._checks_xsrf and handler.exchange.method not in _SAFE:
            handler.check_xsrf_cookie()
        if self._has_session:
            return self._start(handler, self._run_prepared(handler, handler.load_session(), verb))
        waiting = handler.prepare()
        if waiting is not None:
            return self._start(handler, self._run_prepared(handler, waiting, verb))
        if handler._finished:
            return None
        result = verb(handler, *handler.path_args, **handler.path_kwargs)
        if result is not None:
            return self._wait_for(handler, result)
        if handler._auto_finish and not handler._finished:
            handler.finish()
        return None

    def _wait_for(self, handler: RequestHandler, result: Any) -> None:
        if result is DONE:
            return
        if type(result) is not CoroutineType:
            if not hasattr(result, "__await__"):
                raise TypeError(
                    f"{type(handler).__name__}.{handler.exchange.method.lower()}() returned "
                    f"{type(result).__name__}; use self.write() to send something"
                )
            result = _await(result)
        # The verb itself is the task: one that does not wait then costs no second coroutine.
        task: asyncio.Task[Any] = start_task(get_running_loop(), result)
        if task.done():
            _verb_done(handler, task)
        else:
            # The loop holds tasks weakly.
            _running.add(task)
            task.add_done_callback(partial(_verb_done, handler))

    def _start(self, handler: RequestHandler, coroutine: Coroutine[Any, Any, None]) -> None:
        task = start_task(asyncio.get_running_loop(), coroutine)
        if not task.done():
            # The loop holds tasks weakly.
            _running.add(task)
            task.add_done_callback(_running.discard)

    async def _run_prepared(
        self,
        handler: RequestHandler,
        waiting: Awaitable[None],
        verb: Any,
    ) -> None:
        try:
            await waiting
            # What was waited for may have been the session, which comes before `prepare`.
            if self._has_session and (waiting_too := handler.prepare()) is not None:
                await waiting_too
            if handler._finished:
                return
            result = verb(handler, *handler.path_args, **handler.path_kwargs)
            if result is not None:
                await result
            if handler._auto_finish and not handler._finished:
                handler.finish()
        except asyncio.CancelledError:
            _cancelled(handler, on_purpose=_is_being_cancelled())
            raise
        except Exception as exc:  # noqa: BLE001 - the boundary of a handler
            handle_exception(handler, exc)

    async def _run_streamed(  # noqa: C901, PLR0912 - one step after the other
        self, handler: RequestHandler, verb: Any
    ) -> None:
        try:
            checks_xsrf = self._checks_xsrf and handler.exchange.method not in _SAFE
            if checks_xsrf and not handler._xsrf_may_follow():
                # The form has not come yet; its token can only be in a header.
                handler.check_xsrf_cookie()
                checks_xsrf = False
            if self._has_session:
                await handler.load_session()
            if (waiting := handler.prepare()) is not None:
                await waiting
            while not handler._finished:
                piece = await read_piece(handler.exchange)
                if not piece:
                    break
                if (waiting := handler.data_received(piece)) is not None:
                    await waiting
            if handler._finished:
                return
            handler.body_complete()
            if checks_xsrf:
                handler.check_xsrf_cookie()
            result = verb(handler, *handler.path_args, **handler.path_kwargs)
            if result is not None:
                await result
            if handler._auto_finish and not handler._finished:
                handler.finish()
        except asyncio.CancelledError:
            _cancelled(handler, on_purpose=_is_being_cancelled())
            raise
        except (ProtocolError, StreamClosedError) as exc:
            body_failed(handler, exc)
        except Exception as exc:  # noqa: BLE001 - the boundary of a handler
            handle_exception(handler, exc)


def _looked_up(name: str) -> Callable[..., Any]:
    """A verb that is whatever the handler has under its name when a request comes."""

    def verb(handler: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        return getattr(handler, name)(*args, **kwargs)

    return verb


def _decoded(
    handler: RequestHandler, args: tuple[str, ...], kwargs: dict[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The path's groups as the handler's own `decode_argument` makes them."""

    def decode(value: str | None, name: str | None = None) -> Any:
        if value is None:
            return None
        return handler.decode_argument(value.encode("utf-8", "surrogateescape"), name)

    handler.path_args = tuple(decode(value) for value in args)
    handler.path_kwargs = {name: decode(value, name) for name, value in kwargs.items()}
    return handler.path_args, handler.path_kwargs


class _OwnEtag:
    """Calls a handler's own `compute_etag` on the body that was taken out of it already."""

    __slots__ = ("_handler",)

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler

    def __call__(self, body: bytes) -> str | None:
        self._handler._chunk = body
        try:
            tag: Any = self._handler.compute_etag()
        finally:
            self._handler._chunk = b""
        return tag.decode("latin-1") if isinstance(tag, bytes) else tag


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _await(waiting: Awaitable[Any]) -> None:
    await waiting


def _verb_done(handler: RequestHandler, task: "asyncio.Task[Any]") -> None:
    """Finish what a verb's task has left, or answer what it raised."""
    _running.discard(task)
    if task.cancelled():
        _cancelled(handler, on_purpose=task.cancelling() > 0)
        return
    try:
        task.result()
        if handler._auto_finish and not handler._finished:
            handler.finish()
    except Exception as exc:  # noqa: BLE001 - the boundary of a handler
        handle_exception(handler, exc)


def _cancelled(handler: RequestHandler, *, on_purpose: bool) -> None:
    """Answer for a verb that was cancelled, or that has awaited what was cancelled."""
    if on_purpose:
        if not handler._finished:
            handler.send_error(500)
    else:
        handle_exception(handler, asyncio.CancelledError())


def body_failed(handler: RequestHandler, error: Exception) -> None:
    """The body cannot be had: answer the peer's mistake, or forget a peer that has gone."""
    if isinstance(error, ProtocolError):
        gen_log.info(
            "Malformed HTTP message from %s: %s",
            handler.exchange.remote_ip,
            _what_is_wrong(handler.exchange, error),
        )
        if not handler._finished:
            handler.send_error(error.status, reason=None)
    else:
        gen_log.debug("%s %s: %s", handler.exchange.method, handler.exchange.target, error)


def _what_is_wrong(exchange: Exchange, error: ProtocolError) -> str:
    length = exchange.content_length
    if error.status != _TOO_LARGE or "decompressed" in str(error):
        return str(error)
    return "chunked body too large" if length is None else f"Content-Length too long: {length}"


def _has_left(handler: RequestHandler, error: BaseException) -> bool:
    """Whether the client did not wait for the answer: its right, and no fault of the handler."""
    if not isinstance(error, StreamClosedError) or handler.exchange.connected:
        return False
    gen_log.debug("%s %s: %s", handler.exchange.method, handler.exchange.target, error)
    return True


def _is_problem(handler: RequestHandler, error: BaseException) -> bool:
    """Whether it is input that did not fit its types, which is answered here (RFC 9457)."""
    if not isinstance(error, ValidationError) or handler._headers_written:
        return False
    gen_log.warning("422 %s: %.500s", handler._request_summary(), error)
    handler.clear()
    handler.set_status(422)
    handler.write(error.problem())
    handler.set_header("Content-Type", "application/problem+json")
    handler.finish()
    return True


def handle_exception(
    handler: RequestHandler, error: BaseException, headers: dict[str, str] | None = None
) -> None:
    """Answer what a handler raised."""
    if isinstance(error, Finish):
        if not handler._finished:
            handler.finish(*error.args)
        return
    if _has_left(handler, error) or _is_problem(handler, error):
        return
    if isinstance(error, FormError):
        error = HTTPError(400, "%s", error)
    exc_info = (type(error), error, error.__traceback__)
    try:
        handler.log_exception(*exc_info)
    except Exception:  # noqa: BLE001 - a hook that fails must not hide the error
        app_log.exception("Error in exception logger")
    if handler._finished:
        return
    status = error.status_code if isinstance(error, HTTPError) else 500
    if headers:
        defaults = handler.set_default_headers

        def with_headers() -> None:
            defaults()
            handler._headers.update(headers)

        handler.set_default_headers = with_headers  # type: ignore[method-assign]
    try:
        handler.send_error(status, exc_info=sys.exc_info() if error is None else exc_info)
    except Exception:  # noqa: BLE001 - the last boundary: the client must not wait for ever
        gen_log.exception("The answer of an error failed")
        handler._finished = True
        handler.exchange.abort()
