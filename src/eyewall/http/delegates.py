"""HTTP as calls: the interface between connections and what answers them, in Tornado's form.

A server asks an `HTTPServerConnectionDelegate` for an `HTTPMessageDelegate` for each request,
tells it of the head, the body's pieces and the end, and is answered through an
`HTTPConnection`. An `Application` does without: it takes exchanges (`eyewall.http.exchange`).
"""

from collections.abc import Awaitable
from typing import Any

from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request_connection import HTTPConnection, RequestConnection, serve_message
from eyewall.http.start_lines import RequestStartLine, ResponseStartLine

__all__ = ["HTTPConnection", "HTTPMessageDelegate", "HTTPServerConnectionDelegate"]


class HTTPMessageDelegate:
    """What is told of one message, in this order; override what you need."""

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head has come; what is returned is awaited before the body is read."""

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """A piece of the body has come; the next waits for what is returned."""

    def finish(self) -> None:
        """The message is complete."""

    def on_connection_close(self) -> None:
        """The peer has gone before the answer was complete."""

    def serve(self, exchange: Exchange) -> None:
        """Be told of a request; what has routed it here calls this."""
        serve_message(exchange, self)


class HTTPServerConnectionDelegate:
    """Makes what is told of each request; override `start_request`, and give it to a server."""

    def start_request(self, server_conn: Any, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A request begins.

        Args:
            server_conn: Stands for the connection to the client; nothing can be done with it.
            request_conn: Where the answer is written.
        """
        raise NotImplementedError(f"{type(self).__name__} must define start_request()")

    def __call__(self, exchange: Exchange) -> None:
        """Serve a request whose head has come."""
        self.start_request(exchange, RequestConnection(exchange)).serve(exchange)
