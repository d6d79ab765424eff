"""Spans, by OpenTelemetry's own library."""

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from eyewall.http.client import HTTPClientError, Session
from eyewall.http.server.server import HTTPServer
from eyewall.ops.metrics.requests import RequestStats
from eyewall.ops.tracing import Tracing, trace_outgoing
from eyewall.testing import bind_unused_port
from eyewall.web import Application, Mount, RequestHandler

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Slow(RequestHandler):
    async def post(self):
        await asyncio.sleep(0)
        self.write(self.request_id)


class Fails(RequestHandler):
    def get(self):
        raise RuntimeError("broken")


def stream(request):
    request.exchange.start(200, {"Content-Type": "text/plain"})
    request.exchange.write(b"piece")
    request.exchange.end()


def current(request):
    return format(get_current_span().get_span_context().span_id, "016x")


class Site:
    """A traced application, a traced client, and the spans of both."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        app = Application([
            (r"/slow", Slow), (r"/fails", Fails), (r"/stream", stream), (r"/current", current),
            Mount("/in", Application([(r"/x/(.*)", lambda request, name: name)])),
        ])  # fmt: skip
        app.observe(RequestStats())
        self.server = HTTPServer(Tracing(app, self.provider))
        sock, port = bind_unused_port()
        self.server.add_socket(sock)
        sock.close()
        self.url = f"http://user:secret@127.0.0.1:{port}"
        self.remove = trace_outgoing(self.provider)

    async def spans(self, count):
        while len(self.exporter.get_finished_spans()) < count:
            await asyncio.sleep(0)
        return {span.kind: span for span in self.exporter.get_finished_spans()}

    def close(self):
        self.remove()
        self.server.close()


@pytest.fixture
def on_site(run):
    def on_site(main):
        async def with_site():
            site = Site()
            try:
                await main(site)
            finally:
                site.close()

        run(with_site)

    return on_site


def test_the_client_s_trace_goes_on_in_the_server(on_site):
    async def main(site):
        async with Session() as session:
            response = await session.post(f"{site.url}/slow", content=b"body")
        spans = await site.spans(2)
        client, server = spans[SpanKind.CLIENT], spans[SpanKind.SERVER]
        assert server.name == "POST /slow"
        assert server.attributes["http.route"] == "/slow"
        assert server.attributes["http.response.status_code"] == 200
        assert server.parent.span_id == client.context.span_id
        assert server.context.trace_id == client.context.trace_id
        # What the log calls the request is the trace.
        assert response.text == format(client.context.trace_id, "032x")
        assert "secret" not in client.attributes["url.full"]
        assert client.start_time <= server.start_time <= server.end_time

    on_site(main)


def test_a_trace_from_elsewhere_goes_on(on_site):
    async def main(site):
        site.remove()
        async with Session(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}) as session:
            answer = await session.get(f"{site.url}/current")
        span = (await site.spans(1))[SpanKind.SERVER]
        assert format(span.context.trace_id, "032x") == TRACE
        assert format(span.parent.span_id, "016x") == PARENT
        assert answer.text == format(span.context.span_id, "016x")

    on_site(main)


@pytest.mark.parametrize(("path", "name", "status"), [
    ("/in/x/you", "GET /in/x/(.*)", 200), ("/none", "GET unmatched", 404), ("/stream", "GET", 200),
])  # fmt: skip
def test_spans_are_named_by_routes(on_site, path, name, status):
    async def main(site):
        async with Session() as session:
            await session.get(site.url + path)
        span = (await site.spans(2))[SpanKind.SERVER]
        assert (span.name, span.attributes["http.response.status_code"]) == (name, status)
        assert span.status.status_code is StatusCode.UNSET

    on_site(main)


def test_errors_are_errors_on_both_sides(on_site):
    async def main(site):
        async with Session() as session:
            await session.get(f"{site.url}/fails")
        spans = await site.spans(2)
        assert {span.status.status_code for span in spans.values()} == {StatusCode.ERROR}
        assert spans[SpanKind.SERVER].attributes["http.response.status_code"] == 500

    on_site(main)


def test_a_server_that_is_not_there_is_an_error_of_the_client(on_site):
    async def main(site):
        site.server.close()
        async with Session() as session:
            with pytest.raises((HTTPClientError, OSError)):
                await session.get(f"{site.url}/slow")
        span = (await site.spans(1))[SpanKind.CLIENT]
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"]

    on_site(main)


def test_a_streamed_response_has_its_span_at_the_head(on_site):
    async def main(site):
        async with Session() as session, session.stream("GET", f"{site.url}/stream") as response:
            assert await response.read() == b"piece"
        span = (await site.spans(2))[SpanKind.CLIENT]
        assert span.attributes["http.response.status_code"] == 200

    on_site(main)


def test_a_client_that_goes_away_ends_the_span(on_site):
    async def main(site):
        site.remove()
        host, port = site.url.rpartition("@")[2].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        while not site.server.stats()["exchanges"]:
            await asyncio.sleep(0)
        writer.close()
        span = (await site.spans(1))[SpanKind.SERVER]
        assert "http.response.status_code" not in span.attributes or span.attributes[
            "http.response.status_code"
        ] in {400, 499}

    on_site(main)
