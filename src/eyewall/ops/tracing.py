"""Spans of OpenTelemetry for requests in and out, with the context of W3C Trace Context.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

import asyncio
import copy
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, Final, final
from urllib.parse import urlsplit

from eyewall.base.errors import ConfigurationError
from eyewall.base.hooks import Finished, outgoing_hooks
from eyewall.base.request_ids import request_id_var
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.ops.traced_exchange import TracedExchange

MISSING: Final = "traces need OpenTelemetry: pip install 'eyewall[otel]'"

_span_var: Final[ContextVar[Any]] = ContextVar("eyewall_server_span", default=None)


def _api() -> tuple[Any, Any]:
    try:
        # An optional dependency.
        from opentelemetry import propagate, trace  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(MISSING) from None
    return propagate, trace


class _Carrier:
    """Reads a request's fields for a propagator."""

    @staticmethod
    def get(exchange: Exchange, key: str) -> list[str] | None:
        value = exchange.header(key)
        return None if value is None else [value]

    @staticmethod
    def keys(exchange: Exchange) -> list[str]:
        return [name for name, _ in exchange.headers]


@final
class Tracing:
    """Stands before an application and makes a span of each request.

    The span goes on where the client's trace says (`traceparent`), is current while the request is
    handled, and is named by its route where the application is one of Eyewall's.

    Args:
        app: The application.
        provider: Makes the tracer; the global one by default.

    Raises:
        ConfigurationError: The `opentelemetry-api` library is not installed.
    """

    serves_exchanges = True

    def __init__(self, app: Callable[[Any], object], provider: Any = None) -> None:
        self._propagate, self._trace = _api()
        self._app = app
        self._tracer = self._trace.get_tracer("eyewall", tracer_provider=provider)
        observe = getattr(app, "observe", None)
        if observe is not None:
            observe(_name_span)

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request."""
        before = self._propagate.extract(exchange, getter=_Carrier)
        span = self._tracer.start_span(
            exchange.method,
            context=before,
            kind=self._trace.SpanKind.SERVER,
            attributes={
                "http.request.method": exchange.method,
                "url.path": exchange.path,
                "url.scheme": exchange.scheme,
                "server.address": exchange.host,
                "client.address": exchange.remote_ip,
                "network.protocol.version": exchange.http_version.partition("/")[2],
            },
        )
        copy_context().run(self._serve, exchange, before, span)

    def _serve(self, exchange: Exchange, before: Any, span: Any) -> None:
        # opentelemetry's own variable, set in a context that is this request's alone.
        from opentelemetry import context  # noqa: PLC0415 - an optional dependency

        context.attach(self._trace.set_span_in_context(span, before))
        _span_var.set(span)
        if request_id_var.get() is None:
            trace_id = span.get_span_context().trace_id
            request_id_var.set(self._trace.format_trace_id(trace_id))
        loop = asyncio.get_running_loop()

        def ended(status: int | None, at: int) -> None:
            if status is not None:
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))
            # The application tells the route after it has answered.
            loop.call_soon(span.end, at)

        self._app(TracedExchange(exchange, ended))


def _name_span(route: str, method: str, _status: int, _seconds: float) -> None:
    span = _span_var.get()
    if span is not None and span.is_recording():
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)


def trace_outgoing(provider: Any = None) -> Callable[[], None]:
    """Make a span of each request of the HTTP client, and send its context; returns what ends that.

    Args:
        provider: Makes the tracer; the global one by default.

    Raises:
        ConfigurationError: The `opentelemetry-api` library is not installed.
    """
    propagate, trace = _api()
    tracer = trace.get_tracer("eyewall.client", tracer_provider=provider)

    def begin(request: Any) -> tuple[Any, Finished]:
        url = urlsplit(request.url)
        span = tracer.start_span(
            request.method,
            kind=trace.SpanKind.CLIENT,
            attributes={
                "http.request.method": request.method,
                "url.full": url._replace(netloc=url.netloc.rpartition("@")[2]).geturl(),
                "server.address": url.hostname or "",
            },
        )
        headers = HTTPHeaders(request.headers)
        propagate.inject(headers, context=trace.set_span_in_context(span))
        sent = copy.copy(request)
        sent.headers = headers

        def finished(status: int | None, error: BaseException | None) -> None:
            if status is not None:
                span.set_attribute("http.response.status_code", status)
            if error is not None:
                span.set_attribute("error.type", type(error).__qualname__)
            if error is not None or (status or 0) >= 400:
                span.set_status(trace.Status(trace.StatusCode.ERROR))
            span.end()

        return sent, finished

    outgoing_hooks.append(begin)

    def remove() -> None:
        if begin in outgoing_hooks:
            outgoing_hooks.remove(begin)

    return remove
