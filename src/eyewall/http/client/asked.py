"""What is asked, and when it was: the part that fetches and streams share. Hot path."""

import time
from typing import TYPE_CHECKING, Any, Final

from eyewall.base.hooks import Finished, outgoing_hooks
from eyewall.http.client.engine import ClientResponse
from eyewall.http.client.errors import HTTPDecodeError, HTTPTooLargeError
from eyewall.http.client.prepare import prepare, proxy_of, route
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse
from eyewall.http.client.url import parse_url
from eyewall.http.encoding import BodyTooLargeError, EncodingError, decode

if TYPE_CHECKING:
    from eyewall.http.client.simple import SimpleAsyncHTTPClient

_MOST_PLANS: Final = 1000


class Asked:
    """A request, the way to its server, and its times.

    `first` is what the caller asked for, `request` what is asked now, after redirects. `waited`
    and `connected` are seconds in the queue and of connecting.

    Args:
        client: The client.
        request: The request.
        limit_s: Seconds that it may take; 0 or None for any time.

    Raises:
        ValueError: It cannot be sent.
    """

    __slots__ = (
        "client", "connected", "deadline", "finished", "first", "loop", "prepared", "request", "route",
        "started", "waited",
    )  # fmt: skip

    def __init__(
        self, client: "SimpleAsyncHTTPClient", request: HTTPRequest, limit_s: float | None
    ) -> None:
        self.client = client
        self.loop = client.loop
        self.finished: list[Finished] = []
        if outgoing_hooks:
            for hook in outgoing_hooks:
                request, finished = hook(request)
                self.finished.append(finished)
        self.first = request
        self.started = client.loop.time()
        self.deadline = self.started + limit_s if limit_s else None
        self.waited = 0.0
        self.connected = 0.0
        self.put(request)

    def put(self, request: HTTPRequest) -> None:
        """Ask this from now on; errors as for the constructor."""
        self.request = request
        plans = self.client.plans
        is_plain = request.is_plain
        plan = plans.get(request.url) if is_plain else None
        if plan is None:
            defaults = self.client.defaults
            url = parse_url(request.url)
            proxy = proxy_of(request, url, defaults)
            plan = (
                route(request, url, defaults, proxy),
                prepare(request, url, defaults, proxy),
            )
            if is_plain:
                if len(plans) >= _MOST_PLANS:
                    plans.clear()
                plans[request.url] = plan
        self.route, self.prepared = plan

    def tell(self, status: int | None, error: BaseException | None) -> None:
        """Tell those who watch how it ended."""
        for finished in self.finished:
            finished(status, error)

    def remaining(self) -> float:
        """Seconds until the deadline, for the engine; 0 for no limit."""
        if self.deadline is None:
            return 0.0
        left: float = self.deadline - self.loop.time()
        return max(left, 0.001)

    def response(self, head: ClientResponse, body: bytes) -> HTTPResponse:
        """What the caller gets for this.

        Raises:
            HTTPDecodeError: The content is not in the coding that it says.
            HTTPTooLargeError: Decoded it is larger than allowed.
        """
        request = self.request
        headers: Any = head.headers
        if body:
            coding = head.header("content-encoding")
            if coding is not None and request.option("decompress_response", self.client.defaults):
                headers, body = self._decoded(headers, coding, body)
        return HTTPResponse(
            self.first,
            head.status,
            headers,
            None,
            request.url,
            None,
            self.loop.time() - self.started,
            {"queue": self.waited, "connect": self.connected},
            head.reason,
            time.time() - (self.loop.time() - self.started),
            body=body,
            http_version=head.http_version,
        )

    def _decoded(
        self, headers: list[tuple[str, str]], coding: str, body: bytes
    ) -> tuple[list[tuple[str, str]], bytes]:
        try:
            body = decode(coding, body, self.client.max_body_size)
        except BodyTooLargeError as error:
            raise HTTPTooLargeError(f"decompressed body too large: {error}") from error
        except EncodingError as error:
            raise HTTPDecodeError(str(error)) from error
        left = [
            field
            for field in headers
            if field[0].lower() not in ("content-encoding", "content-length")
        ]
        return [*left, ("X-Consumed-Content-Encoding", coding)], body
