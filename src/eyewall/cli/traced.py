"""`--otel`: where spans go."""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from eyewall.base.errors import ConfigurationError
from eyewall.ops.tracing import MISSING, trace_outgoing

_OTLP: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@asynccontextmanager
async def traced(*, wanted: bool) -> AsyncIterator[None]:
    """Make spans of outgoing requests, and export all spans, while the block runs.

    A provider that the program has set up is left alone. Else one is made, which the usual
    variables of the environment configure (`OTEL_SERVICE_NAME`, `OTEL_EXPORTER_OTLP_ENDPOINT`,
    `OTEL_TRACES_EXPORTER`: "otlp", "console" or "none").

    Args:
        wanted: Whether there is anything to do.

    Raises:
        ConfigurationError: A library is missing, or the exporter is unknown.
    """
    if not wanted:
        yield
        return
    provider = _set_up()
    remove = trace_outgoing()
    try:
        yield
    finally:
        remove()
        if provider is not None:
            # It sends what it has, which may take a while.
            await asyncio.to_thread(provider.shutdown)


def _set_up() -> Any:
    try:
        # Optional dependencies.
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(MISSING) from None
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    provider = TracerProvider()
    exporter = _exporter(os.environ.get("OTEL_TRACES_EXPORTER") or "otlp")
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def _exporter(name: str) -> Any:
    if name == "none":
        return None
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - optional

        return ConsoleSpanExporter(formatter=lambda span: f"{span.to_json(indent=None)}\n")
    if name == "otlp":
        try:
            return importlib.import_module(_OTLP).OTLPSpanExporter()
        except ImportError:
            raise ConfigurationError(MISSING) from None
    raise ConfigurationError(f'OTEL_TRACES_EXPORTER is "otlp", "console" or "none", not {name!r}')
