"""The one seam between servers and `web`: what a request and its answer can do.

The engine's `Exchange` is one implementation; the in-memory one of the tests is another. The
semantics of each member are documented where the engine's contract is, in `_engine.pyi`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
Buffer: TypeAlias = bytes | bytearray | memoryview


class Exchange(Protocol):
    """One request and its answer."""

    @property
    def method(self) -> str:
        """The request's method."""
        ...

    @property
    def target(self) -> str:
        """The request target as sent."""
        ...

    @property
    def path(self) -> str:
        """The target's path, percent-encoded as sent."""
        ...

    @property
    def query(self) -> str:
        """What follows the first "?"."""
        ...

    @property
    def http_version(self) -> str:
        """The protocol's version, for example "HTTP/1.1"."""
        ...

    @property
    def scheme(self) -> str:
        """The scheme: "http" or "https"."""
        ...

    @property
    def host(self) -> str:
        """The host that the request is for."""
        ...

    @property
    def remote_ip(self) -> str:
        """The client's address."""
        ...

    @property
    def tls(self) -> dict[str, Any] | None:
        """What is known of the TLS session."""
        ...

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All header fields in order."""
        ...

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """The trailer fields, once the body has ended."""
        ...

    def header(self, name: str) -> str | None:
        """One header field, several joined."""
        ...

    @property
    def has_body(self) -> bool:
        """Whether body bytes may follow."""
        ...

    @property
    def content_length(self) -> int | None:
        """The announced length."""
        ...

    @property
    def connected(self) -> bool:
        """Whether an answer can still reach somebody."""
        ...

    @property
    def responded(self) -> bool:
        """Whether a final answer was started."""
        ...

    def set_body_limit(self, max_bytes: int) -> None:
        """Limit this request's body."""
        ...

    def read_all(self, callback: Callable[[bytes | Exception], object]) -> bytes | None:
        """The whole body, at once or through the callback."""
        ...

    def read(self, callback: Callable[[bytes | Exception], object]) -> bytes | None:
        """The next piece of the body, at once or through the callback."""
        ...

    def respond(
        self, status: int, headers: Headers, body: Buffer | str, reason: str | None = None
    ) -> int:
        """Send a whole answer."""
        ...

    def start(
        self, status: int, headers: Headers, reason: str | None = None, *, end: bool = False
    ) -> None:
        """Send the head of a streamed answer."""
        ...

    def write(self, data: Buffer) -> bool:
        """Send a piece of the body; False when the writer should wait."""
        ...

    def when_writable(self, callback: Callable[[Exception | None], object]) -> bool:
        """True when there is room; else the callback is called when there is."""
        ...

    def when_flushed(self, callback: Callable[[Exception | None], object]) -> bool:
        """True when all has gone; else the callback is called when it has."""
        ...

    def end(self, trailers: Headers | None = None) -> None:
        """End a streamed answer."""
        ...

    def inform(self, status: int, headers: Headers) -> bool:
        """Send an informational answer."""
        ...

    def upgrade(self, headers: Headers) -> None:
        """Answer 101."""
        ...

    def abort(self) -> None:
        """Cut the connection or reset the stream."""
        ...

    def on_disconnect(self, callback: Callable[[], object] | None) -> None:
        """Call back if the peer goes before the answer is complete."""
        ...
