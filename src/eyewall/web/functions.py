"""Plain functions as handlers: a request in, something to answer with out."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

import msgspec

from eyewall.base.log import app_log, gen_log
from eyewall.base.request_ids import in_request
from eyewall.http.exchange import Exchange
from eyewall.http.forms import FormError
from eyewall.http.request import HTTPServerRequest
from eyewall.loop.eager import start_task
from eyewall.web.debug_page import error_page
from eyewall.web.engine import ProtocolError
from eyewall.web.errors import HTTPError, reason_phrase
from eyewall.web.typed.validation import ValidationError
from eyewall.web.typed.verbs import typed_function

if TYPE_CHECKING:
    from eyewall.web.application import Application
    from eyewall.web.typed.parameters import Plan

_HTML: Final = {"Content-Type": "text/html; charset=UTF-8"}
_JSON: Final = {"Content-Type": "application/json; charset=UTF-8"}
_PROBLEM: Final = {"Content-Type": "application/problem+json"}
_BYTES: Final = {"Content-Type": "application/octet-stream"}
_encode_json: Final = msgspec.json.Encoder().encode
_running: Final[set["asyncio.Task[Any]"]] = set()


@final
class Response:
    """An answer in full.

    Args:
        body: Text is sent as UTF-8 HTML, bytes as they are, anything else as JSON.
        status: The status.
        headers: Header fields; they replace the content type that the body implies.

    Example:
        >>> Response("gone", status=410, headers={"Content-Type": "text/plain"}).status
        410
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: Any = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.body, implied = encode_body(body)
        self.headers: dict[str, str] = dict(implied)
        if headers:
            for name, value in headers.items():
                if name.lower() == "content-type":
                    self.headers["Content-Type"] = value
                else:
                    self.headers[name] = value


def encode_body(value: Any) -> tuple[bytes, dict[str, str]]:
    """A value as a body, and the headers that say what it is."""
    if isinstance(value, str):
        return value.encode(), _HTML
    if isinstance(value, bytes):
        return value, _BYTES if value else {}
    return _encode_json(value), _JSON


class FunctionRoute:
    """Serves requests with functions, one for each method."""

    __slots__ = ("application", "functions", "label", "plans", "sources")

    def __init__(self, application: "Application", *, label: str | None = None) -> None:
        self.application = application
        self.label = label or "function"
        self.functions: dict[str, Callable[..., Any]] = {}
        self.sources: dict[str, Callable[..., Any]] = {}
        """The functions as they were written."""
        self.plans: dict[str, Plan] = {}

    def add(
        self,
        methods: tuple[str, ...],
        function: Callable[..., Any],
        *,
        path_names: tuple[str, ...] | None = None,
        converters: Mapping[str, Callable[[str], Any]] | None = None,
    ) -> None:
        """Serve these methods with `function`.

        Args:
            methods: Their names; "*" for all that have no function.
            function: Called with the request, and what the path gives.
            path_names: Parameters that the path gives; None where they have no names.
            converters: What makes values of the path's text.

        Raises:
            ValueError: One of them has a function already.
        """
        for method in methods:
            if method in self.functions:
                raise ValueError(f"{method} has a function already: {self.functions[method]!r}")
            served, plan = typed_function(function, method, path_names)
            if plan is not None:
                self.plans[method] = plan
            self.sources[method] = function
            self.functions[method] = _converting(served, converters) if converters else served

    def serve(self, exchange: Exchange, args: tuple[str, ...], kwargs: dict[str, str]) -> None:
        """Handle one request."""
        if self.application.cors is not None and self.application.cors.preflight(exchange):
            return None
        began = time.monotonic() if self.application.times_requests else 0.0
        method = exchange.method
        functions = self.functions
        function = functions.get(method) or (functions.get("GET") if method == "HEAD" else None)
        if function is None and method != "OPTIONS" and "*" in functions:
            function = functions["*"]
        if function is None:
            return self._unserved(exchange, began)
        if not exchange.has_body:
            return self._call(exchange, began, function, b"", args, kwargs)

        def arrived(body: bytes | Exception) -> None:
            if isinstance(body, bytes):
                self._call(exchange, began, function, body, args, kwargs)
            elif isinstance(body, ProtocolError):
                self._fail(exchange, began, HTTPError(body.status))

        try:
            body = exchange.read_all(in_request(arrived))
        except ProtocolError as exc:
            return self._fail(exchange, began, HTTPError(exc.status))
        if body is not None:
            self._call(exchange, began, function, body, args, kwargs)
        return None

    def _call(
        self,
        exchange: Exchange,
        began: float,
        function: Callable[..., Any],
        body: bytes,
        args: tuple[str, ...],
        kwargs: dict[str, str],
    ) -> None:
        try:
            result = function(HTTPServerRequest(exchange, body), *args, **kwargs)
            if result is not None and inspect.isawaitable(result):
                task = start_task(
                    asyncio.get_running_loop(), self._answer_later(exchange, began, result)
                )
                if not task.done():
                    _running.add(task)
                    task.add_done_callback(_running.discard)
                return
            self._answer(exchange, began, result)
        except Exception as exc:  # noqa: BLE001 - the boundary of a handler
            self._fail(exchange, began, exc)

    async def _answer_later(
        self, exchange: Exchange, began: float, waiting: Awaitable[Any]
    ) -> None:
        try:
            self._answer(exchange, began, await waiting)
        except Exception as exc:  # noqa: BLE001 - the boundary of a handler
            self._fail(exchange, began, exc)

    def _answer(self, exchange: Exchange, began: float, result: Any) -> None:
        if result is None:
            # The function has answered by itself, or has nothing to say.
            if not exchange.responded:
                self._send(exchange, began, 204, {}, b"")
            return
        if isinstance(result, Response):
            self._send(exchange, began, result.status, result.headers, result.body)
        else:
            body, headers = encode_body(result)
            self._send(exchange, began, 200, headers, body)

    def _send(
        self, exchange: Exchange, began: float, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        application = self.application
        if application.adds_headers:
            headers = {**application.headers_for(exchange), **headers}
        if application.compression is not None:
            accepts = exchange.header("Accept-Encoding")
            headers, body = application.compression.whole(accepts, status, headers, body)
        exchange.respond(status, headers, body)
        if application.times_requests:
            seconds = time.monotonic() - began
            if application.observer is not None:
                application.observer(self.label, exchange.method, status, seconds)
            if application.logs_requests:
                application.log_exchange(exchange, status, seconds)

    def observe(self, _observer: Any, prefix: str) -> None:
        """The application's observer is asked for with each answer."""
        self.label = prefix + self.label

    def _unserved(self, exchange: Exchange, began: float) -> None:
        allowed = {*self.functions, "OPTIONS"} | ({"HEAD"} if "GET" in self.functions else set())
        headers = {"Allow": ", ".join(sorted(allowed))}
        if exchange.method == "OPTIONS":
            self._send(exchange, began, 204, headers, b"")
        else:
            self._fail(exchange, began, HTTPError(405), headers)

    def _fail(
        self,
        exchange: Exchange,
        began: float,
        error: Exception,
        headers: dict[str, str] | None = None,
    ) -> None:
        if isinstance(error, ValidationError):
            gen_log.warning("422 %s %s: %.500s", exchange.method, exchange.target, error)
            if not exchange.responded:
                self._send(exchange, began, 422, _PROBLEM, _encode_json(error.problem()))
            return
        if isinstance(error, FormError):
            error = HTTPError(400, "%s", error)
        if isinstance(error, HTTPError):
            status = error.status_code
            if error.log_message:
                gen_log.warning("%s %s: %s", exchange.method, exchange.target, error)
        else:
            status = 500
            app_log.error(
                "Uncaught exception %s %s", exchange.method, exchange.target, exc_info=error
            )
        if exchange.responded:
            exchange.abort()
            return
        if self.application.settings.get("serve_traceback"):
            kind, page = error_page(exchange, status, error)
        else:
            title = f"{status}: {reason_phrase(status)}"
            kind = "text/html; charset=UTF-8"
            page = f"<html><title>{title}</title><body>{title}</body></html>"
        fields = {"Content-Type": kind, **(headers or {})}
        self._send(exchange, began, status, fields, page.encode())


def _converting(
    function: Callable[..., Any], converters: Mapping[str, Callable[[str], Any]]
) -> Callable[..., Any]:
    def converted(request: Any, **kwargs: Any) -> Any:
        for name, convert in converters.items():
            kwargs[name] = convert(kwargs[name])
        return function(request, **kwargs)

    return converted
