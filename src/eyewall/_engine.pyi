"""The engine's contract with Python; this file is its only documentation.

The engine is one reactor per event loop. Every callback named here is called on
the loop's thread, from within `Reactor.turn`; no callback is ever called from
inside another call into the engine, so nothing is re-entrant.

Header names and values are `str` in which each character stands for one byte
(ISO-8859-1), as RFC 9110 section 5.5 leaves them.

Objects are handles: dropping one, on any thread, is safe. Using one on another
thread than its reactor's raises `RuntimeError`.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Self, TypeAlias, final

__all__ = [
    "DEFAULT_LIMITS",
    "ClientConnection",
    "ClientResponse",
    "ClientTLS",
    "EngineError",
    "Exchange",
    "Fanout",
    "ProtocolError",
    "Reactor",
    "RequestFailedError",
    "Server",
    "StreamClosedError",
    "TLSConfig",
    "WebSocket",
    "WebSocketCodec",
    "__version__",
    "escape_html",
    "escape_value",
    "etag",
    "find_cookie",
    "find_field",
    "parse_cookie",
    "parse_form",
    "text_of",
]

__version__: Final[str]

_Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
_Buffer: TypeAlias = bytes | bytearray | memoryview

class EngineError(Exception):
    """Base of what the engine raises about a peer or a connection."""

class StreamClosedError(EngineError, ConnectionError):
    """The peer or a time-out ended the connection or the stream.

    Attributes:
        real_error: The error that closed a stream, where there was one; None for the engine's own.
    """

    real_error: BaseException | None

class ProtocolError(EngineError):
    """The peer broke the protocol or a limit.

    Attributes:
        status: The HTTP status to answer with (400, 408 or 413).
    """

    status: int

class RequestFailedError(EngineError):
    """A request to a server came to nothing.

    Attributes:
        kind: "closed", "protocol", "too_large", "timeout", "tls" or "certificate".
        unprocessed: The server has not acted on it, as far as can be known: it may be sent
            again on another connection.
    """

    kind: Literal["closed", "protocol", "too_large", "timeout", "tls", "certificate"]
    unprocessed: bool

@final
class Reactor:
    """The engine's part of one event loop."""

    @staticmethod
    def of(event_loop: AbstractEventLoop) -> Reactor:
        """The reactor of `event_loop`, made and registered with `add_reader` on first use.

        Call it on the loop's own thread. When the loop is closed its reactor goes.
        """

    def fileno(self) -> int:
        """The descriptor of the reactor's own epoll or kqueue instance."""

    def turn(self) -> None:
        """Run what is ready, within the budget. The loop calls this."""

    def close(self, *_args: object) -> None:
        """Close every connection and leave the loop. It may be a weak reference's callback."""

    def stats(self) -> dict[str, int]:
        """`turns`, `connections`, `requests`, `timers`, `exhausted` (turns that used up their budget)."""

@final
class TLSConfig:
    """Certificates and policy of a TLS server; immutable, made anew for a reload.

    Args:
        certificates: Pairs of PEM bytes (certificate chain, private key). The first
            is the default; the others are chosen by SNI from their own names.
        client_ca: PEM bytes of the authorities that client certificates are checked
            against; None asks for no client certificate.
        client_auth: "required" or "optional"; only with `client_ca`.
        alpn: Protocols offered, in order of preference; None offers h2 and http/1.1.

    Raises:
        ValueError: Something in the PEM cannot be used; the message says what.
    """

    def __new__(
        cls,
        certificates: Sequence[tuple[bytes, bytes]],
        *,
        client_ca: bytes | None = None,
        client_auth: Literal["required", "optional"] = "required",
        alpn: Sequence[str] | None = None,
    ) -> Self: ...

@final
class Server:
    """Accepts on listening sockets that it is handed, and turns requests into exchanges.

    Args:
        reactor: The reactor that it runs in.
        fds: Descriptors of listening sockets, TCP or Unix. The engine duplicates them.
        on_exchange: Called with an `Exchange` as soon as a request's head has arrived.
        on_notice: Called with (kind, peer, text) for each event worth a log line;
            kinds are "refused" (a client's mistake or limit; text ends with the status),
            "tls", "accept" (accepting paused or resumed), "aborted".
        tls: None for clear text.
        protocols: Of "http/1.1" and "h2"; None serves both. Over clear text h2 is by prior knowledge.
        proxy_protocol: Expect a PROXY protocol header (v1 or v2) from peers that
            `trusted` names.
        trusted: Addresses and networks ("10.0.0.0/8", "::1", "unix", "*") whose
            `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Real-IP`, `X-Scheme` and
            `Forwarded` headers (and PROXY header) are believed.
        server_header: Value of the `Server` header; None sends none.
        limits: Overrides of `DEFAULT_LIMITS`, by name.
    """

    def __new__(
        cls,
        reactor: Reactor,
        fds: Sequence[int],
        on_exchange: Callable[[Exchange], object],
        *,
        on_notice: Callable[[str, str, str], object] | None = None,
        tls: TLSConfig | None = None,
        protocols: Sequence[str] | None = None,
        proxy_protocol: bool = False,
        trusted: Sequence[str] = ...,
        server_header: str | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> Self: ...
    def set_tls(self, tls: TLSConfig) -> None:
        """Use these certificates for connections accepted from now on."""

    def set_on_exchange(self, on_exchange: Callable[[Exchange], object]) -> None:
        """Call this with exchanges from now on."""

    def stop_accepting(self) -> None:
        """Close the listening descriptors; connections go on."""

    def drain(self, deadline_s: float, on_done: Callable[[], object]) -> None:
        """Stop accepting, finish what runs, then call `on_done`.

        Idle connections close at once, HTTP/1.1 answers carry `Connection: close`,
        HTTP/2 connections are sent GOAWAY. What is open after `deadline_s` is cut.
        """

    def close(self) -> None:
        """Stop accepting and cut every connection."""

    def stats(self) -> dict[str, int]:
        """`connections`, `exchanges` (running now), `requests`, `refused` (totals)."""

DEFAULT_LIMITS: Final[dict[str, float]]
"""The names and defaults of all limits:

`request_line_bytes` 8192 (414), `header_bytes` 65536 (431), `header_count` 100 (431),
`body_bytes` 100 MiB (413; `Exchange.set_body_limit` overrides it),
`header_timeout_s` 10 (408; from the first byte, and for a TLS handshake),
`body_rate_bytes_s` 240 and `body_grace_s` 10 (408: a body slower than this),
`keep_alive_s` 75, `write_stall_s` 60 (a peer that takes nothing of an answer),
`write_buffer_bytes` 65536 (above it `Exchange.write` returns False),
`connections` 100000 (503), `streams` 128 a connection, `resets` 200 and
`control_frames` 1000 (SETTINGS, PING, PRIORITY...) a connection in 10 s,
`keep_alive_requests` 0 (unlimited).
"""

@final
class Exchange:
    """One request and its answer.

    An exchange that is dropped without an answer is answered 500.
    """

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str:
        """The request target as sent; for HTTP/2 the `:path`."""

    @property
    def path(self) -> str:
        """The target's path, percent-encoding left as sent ("*" for OPTIONS *)."""

    @property
    def query(self) -> str:
        """What follows the first "?", or ""."""

    @property
    def http_version(self) -> str:
        """ "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0"."""

    @property
    def scheme(self) -> str:
        """ "http" or "https", after trusted headers."""

    @property
    def host(self) -> str:
        """The `Host` header or `:authority`; "" for HTTP/1.0 without one."""

    @property
    def remote_ip(self) -> str:
        """The client's address after trusted headers; "" for a Unix socket."""

    @property
    def peer(self) -> tuple[str, int] | str:
        """The socket's peer (or the PROXY header's source): (address, port), or "" for Unix."""

    @property
    def local(self) -> tuple[str, int] | str:
        """The address that the connection came in on, or a Unix socket's path."""

    @property
    def tls(self) -> dict[str, Any] | None:
        """`version`, `cipher`, `server_name`, `alpn`, `client_certificate` (DER bytes or None)."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All fields in order; names as sent (HTTP/2: lower case)."""

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """All fields in order; names in lower case."""

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """Trailer fields, once the body has been read to its end."""

    def header(self, name: str) -> str | None:
        """The field of that name (any case); several are joined by ", " (cookies by "; ")."""

    @property
    def has_body(self) -> bool:
        """Whether body bytes may follow (False for `Content-Length: 0`)."""

    @property
    def content_length(self) -> int | None:
        """The announced length; None for a chunked body or when there is no body."""

    @property
    def connected(self) -> bool:
        """False when the peer has gone or the answer is complete."""

    @property
    def responded(self) -> bool:
        """Whether a final answer has been started."""

    def set_body_limit(self, max_bytes: int) -> None:
        """Replace the server's `body_bytes` for this request."""

    def read_all(self, callback: Callable[[bytes | Exception], object]) -> bytes | None:
        """The whole body, when it is there already; else None, and `callback` gets it.

        `callback` gets `ProtocolError` (413 above the limit, 408 too slow, 400 broken
        framing) or `StreamClosedError` instead when the body cannot be had. When one
        of these is known at once, it is raised. A `100 Continue` goes out when the
        client waits for one.
        """

    def read(self, callback: Callable[[bytes | Exception], object]) -> bytes | None:
        """The next piece of the body, b"" at its end; None when `callback` will get it.

        Nothing is read from the peer while nobody asks, beyond 64 KiB. Errors as for `read_all`.
        """

    def respond(
        self, status: int, headers: _Headers, body: _Buffer | str, reason: str | None = None
    ) -> int:
        """Send a whole answer; returns the number of body bytes sent.

        `Content-Length`, `Date` and `Server` are added where not given. The body of
        an answer to HEAD, and of 204 and 304, is not sent (its length is announced
        for HEAD). A `str` body is sent as UTF-8.

        Raises:
            ValueError: A name, value or reason that HTTP does not allow, a wrong
                `Content-Length`, or a `Transfer-Encoding`; nothing was sent.
            RuntimeError: The answer was already started.
            StreamClosedError: Never; an answer to a peer that has gone is dropped.
        """

    def start(
        self, status: int, headers: _Headers, reason: str | None = None, *, end: bool = False
    ) -> None:
        """Send the head of a streamed answer; framed by `Content-Length` where given, else chunked.

        Errors as for `respond`.
        """

    def write(self, data: _Buffer) -> bool:
        """Send a piece of the body; False when more than `write_buffer_bytes` wait.

        Raises:
            RuntimeError: Before `start` or after the end.
            ValueError: More than the announced `Content-Length`; the connection is aborted.
            StreamClosedError: The peer has gone.
        """

    def when_writable(self, callback: Callable[[Exception | None], object]) -> bool:
        """True when there is room; else False, and `callback` is called with None, or a `StreamClosedError`."""

    def when_flushed(self, callback: Callable[[Exception | None], object]) -> bool:
        """As `when_writable`, for all of the answer so far handed to the kernel."""

    def end(self, trailers: _Headers | None = None) -> None:
        """End a streamed answer. Trailers are sent where the framing has them (chunked, HTTP/2).

        Raises:
            ValueError: Less was written than `Content-Length` announced; the connection is aborted.
        """

    def inform(self, status: int, headers: _Headers) -> bool:
        """Send an informational answer (103); False where the client cannot take one (HTTP/1.0)."""

    def upgrade(self, headers: _Headers) -> None:
        """Answer 101; from then on `read` and `write` carry raw bytes both ways (HTTP/1.1)."""

    def detach(self) -> None:
        """Answer nothing; from then on `read` and `write` carry raw bytes both ways (HTTP/1.1).

        What has come of a body that was not read is read first.

        Raises:
            RuntimeError: The answer was begun, or the request came by HTTP/2.
        """

    def upgrade_websocket(
        self,
        headers: _Headers,
        on_message: Callable[[Any], object],
        on_event: Callable[[str, Any], object],
        *,
        compression: Mapping[str, Any] | None = None,
        max_message_bytes: int = ...,
        max_queue_bytes: int = ...,
        ping_interval_s: float = 0.0,
        ping_timeout_s: float = 0.0,
        close_timeout_s: float = 5.0,
    ) -> WebSocket:
        """Answer an opening handshake (RFC 6455); the exchange is a WebSocket from then on.

        `on_message` is called with each message, a `str` or `bytes`. `on_event` is called with
        a kind and a value: "waiting" (what `on_message` returned, if it was not None), "error"
        (what it raised), "ping" and "pong" (bytes; a ping was answered), "room" (there is room
        after `send` returned False), and last "close": the code and the reason of the first
        close frame, or None and why the connection ended.

        Args:
            headers: Fields of the answer beside those of the handshake.
            on_message: Called with each message.
            on_event: Called with everything else.
            compression: How to answer an offer of compression (RFC 7692), None to decline:
                `context_takeover` (False), `compression_level` (6), `mem_level` (8),
                `server_max_window_bits` and `client_max_window_bits` (15).
            max_message_bytes: A larger message, decompressed, ends the WebSocket with 1009.
            max_queue_bytes: A peer for whom more waits is cut.
            ping_interval_s: Time between pings; 0 sends none.
            ping_timeout_s: How long a peer may be silent after one; 0 for any time.
            close_timeout_s: How long its close frame is waited for.

        Raises:
            ProtocolError: It is no opening handshake; `status` is 400, 405 or 426, and the
                exchange can be answered.
            ValueError: A header that cannot be sent, or an unknown option.
        """

    def abort(self) -> None:
        """Cut the connection (HTTP/2: reset the stream) now."""

    def on_disconnect(self, callback: Callable[[], object] | None) -> None:
        """Call this once if the peer goes away before the answer is complete; None clears it."""

@final
class ClientTLS:
    """Trust and credentials towards servers; immutable.

    Args:
        authorities: PEM bytes of the authorities to trust; a server's own certificate may be
            among them.
        revoked: PEM bytes of revocation lists; certificates on them are refused.
        verify: False to trust every certificate.
        certificate: PEM bytes of this client's certificate chain and private key.
        alpn: Protocols offered, in order of preference.

    Raises:
        ValueError: Something in the PEM cannot be used; the message says what.
    """

    def __new__(
        cls,
        authorities: bytes,
        *,
        revoked: bytes | None = None,
        verify: bool = True,
        certificate: tuple[bytes, bytes] | None = None,
        alpn: Sequence[str] = ...,
    ) -> Self: ...

@final
class ClientResponse:
    """What a server answered; of a streamed response only the head."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str:
        """The reason phrase; "" in HTTP/2."""

    @property
    def http_version(self) -> str:
        """ "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0"."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All fields in order; names as sent (HTTP/2: lower case)."""

    @property
    def body(self) -> bytes: ...
    @property
    def trailers(self) -> list[tuple[str, str]]: ...
    def header(self, name: str) -> str | None:
        """The first field of that name (any case)."""

@final
class ClientConnection:
    """A connection to a server: HTTP/1.1, or HTTP/2 where ALPN chose it.

    Dropping it closes it.

    Args:
        reactor: The reactor that it runs in.
        fd: Descriptor of a connected socket. The engine duplicates it.
        tls: None for clear text.
        server_name: The host, for SNI and its certificate; with `tls`.
        on_ready: Called with None when requests may be started, or with the `RequestFailedError` that
            says why they never may. In clear text they may be started at once.
        on_close: Called when the connection is over.
        http2: Speak HTTP/2 in clear text, without asking.
        idle_s: Seconds that it may be without a request; 0 for any time.
        header_bytes: Largest response head.
        header_count: Most header fields in one.

    Raises:
        ValueError: The server's name can be in no certificate.
    """

    def __new__(
        cls,
        reactor: Reactor,
        fd: int,
        *,
        tls: ClientTLS | None = None,
        server_name: str = "",
        on_ready: Callable[[RequestFailedError | None], object] | None = None,
        on_close: Callable[[], object] | None = None,
        http2: bool = False,
        idle_s: float = 0.0,
        header_bytes: int = 65536,
        header_count: int = 256,
    ) -> Self: ...
    def start(
        self,
        method: str,
        target: str,
        authority: str,
        headers: _Headers,
        body: _Buffer | str | None,
        on_response: Callable[[Any], object],
        *,
        scheme: str = "http",
        length: int | None = None,
        streamed: bool = False,
        timeout_s: float = 0.0,
        max_body: int = ...,
        on_continue: Callable[[Exception | None], object] | None = None,
    ) -> int:
        """Send a request; returns its number on this connection.

        `on_response` is called once, with a `ClientResponse` or a `RequestFailedError`: with the whole
        of the response, or when `streamed`, with its head, after which `read` gives the content.
        `Host`, `Content-Length` and `Transfer-Encoding` are the engine's; those among `headers` are
        left out.

        Args:
            method: The method.
            target: Path and query, or an absolute URL for a proxy.
            authority: The host, with the port where it is not the scheme's.
            headers: Fields.
            body: The content; None for none.
            on_response: See above.
            scheme: "http" or "https".
            length: So many bytes of content follow by `write`, or -1 for as many as there come.
            streamed: See above.
            timeout_s: Seconds until the response must be complete; 0 for no limit.
            max_body: Largest content of the response in bytes.
            on_continue: Called with None when the server asks for the content (100), or with an
                exception when it has answered without.

        Raises:
            ValueError: Something cannot be sent; nothing was.
            RuntimeError: The connection carries all that it can.
            StreamClosedError: It is over; nothing was sent.
        """

    def write(self, stream: int, data: _Buffer) -> bool:
        """Send a piece of the content; False when the writer should wait for room.

        Raises:
            ValueError: It is more than was announced.
            StreamClosedError: The request is over.
        """

    def end(self, stream: int) -> None:
        """End the content; errors as for `write`."""

    def when_writable(self, stream: int, callback: Callable[[Any], object]) -> None:
        """Call this when what waits to be sent has gone, or the request is over."""

    def read(
        self, stream: int, callback: Callable[[Any], object]
    ) -> bytes | list[tuple[str, str]] | None:
        """The next piece of streamed content, or at its end the trailer fields.

        None when there is nothing yet: `callback` will get it, or a `RequestFailedError`. While nobody
        reads, no more than about 512 KiB are taken from the server.

        Raises:
            RequestFailedError: No more of it will come.
            StreamClosedError: The request is over.
        """

    def cancel(self, stream: int) -> None:
        """Give a request up; over HTTP/1.1 that ends the connection. No callback is called."""

    def close(self) -> None:
        """End the connection; what is under way fails."""

    @property
    def capacity(self) -> int:
        """How many requests may be started now."""

    @property
    def protocol(self) -> str:
        """ "http/1.1", "h2", or "" before that is known."""

    @property
    def tls(self) -> dict[str, Any] | None:
        """`version`, `cipher`, `alpn`, `certificate` (the server's, DER bytes)."""

@final
class WebSocket:
    """A WebSocket that an exchange has become.

    Dropping the handle does nothing; the WebSocket lives as long as its connection.
    """

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""

    @property
    def extensions(self) -> str | None:
        """The value of `Sec-WebSocket-Extensions` in the answer."""

    def send(self, data: _Buffer | str, binary: bool | None = None) -> bool:
        """Send a message at the end of the turn; False when more than `write_buffer_bytes` wait.

        Args:
            data: Text is sent as text and everything else as binary, unless `binary` says otherwise.
            binary: The kind of the message.

        Raises:
            StreamClosedError: The end has begun, or the peer was cut for what waits for it.
            ValueError: Bytes that are to be text and are not UTF-8.
        """

    def ping(self, data: bytes) -> None:
        """Send a ping of at most 125 bytes; errors as for `send`."""

    def close(self, code: int | None = None, reason: str = "", *, discard: bool = False) -> None:
        """Send a close frame; nothing happens when one was sent or received.

        Args:
            code: Of those that may be sent (RFC 6455, section 7.4); None for none.
            reason: At most 123 bytes of UTF-8.
            discard: Drop the messages that wait and those that come; only the end is told.

        Raises:
            ValueError: A code that cannot be sent, or more than 123 bytes of reason.
        """

    def abort(self) -> None:
        """Cut the connection now."""

    def pause(self) -> None:
        """Take no more from the peer than has come; `on_message` is not called."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def set_nodelay(self, value: bool) -> None:
        """Set TCP_NODELAY, which is on."""

@final
class WebSocketCodec:
    """A client's side of a WebSocket, without a connection: bytes in, events out.

    Args:
        compression: What to offer; see `Exchange.upgrade_websocket`. None offers nothing.
        max_message_bytes: A larger message, decompressed, is an error.

    Raises:
        ValueError: An unknown option.
    """

    def __new__(
        cls, *, compression: Mapping[str, Any] | None = None, max_message_bytes: int = ...
    ) -> Self: ...
    def request(self, target: str, authority: str, headers: _Headers) -> bytes:
        """The opening handshake.

        Raises:
            ValueError: Something cannot be sent.
        """

    def handshake(
        self, data: bytes, *, eof: bool = False
    ) -> tuple[int, str, list[tuple[str, str]], bytes] | None:
        """Take some of the server's answer: status, reason, headers, content; None for more.

        With status 101 the WebSocket is open; `receive(b"")` then takes what came behind.

        Raises:
            ProtocolError: It is no answer to this handshake.
        """

    def receive(self, data: bytes) -> list[tuple[str, Any]]:
        """Take bytes of the open WebSocket; returns pairs of a kind and a value.

        The kinds: "message" (`str` or `bytes`), "ping" and "pong" (bytes), "close" (code or
        None, reason), "error" (the code to close with, why); nothing follows the last two.
        """

    def message(self, data: _Buffer | str, binary: bool | None = None) -> bytes:
        """A message's frame; arguments and errors as for `WebSocket.send`."""

    def ping(self, data: bytes) -> bytes:
        """A ping's frame."""

    def pong(self, data: bytes) -> bytes:
        """A pong's frame."""

    def close(self, code: int | None = None, reason: str = "") -> bytes:
        """A close frame; errors as for `WebSocket.close`."""

@final
class Fanout:
    """A set of WebSockets and streamed answers that one call sends one message to.

    A message is framed once, and compressed once for each way of compressing that members have
    agreed on. What is sent within one turn of the loop goes to each member in one write. Members
    that are over leave by themselves. Order is kept, also with what `WebSocket.send` and
    `Exchange.write` send.

    Args:
        reactor: The reactor of the members.
        slow: What becomes of a member for whom more than `max_queue_bytes` wait: "disconnect"
            cuts it; "drop" does not send it the message; "latest" sends it, once there is room,
            only the latest of the messages that it missed (a streamed answer gets none of them).
        max_queue_bytes: See above.

    Raises:
        ValueError: Another policy.
    """

    def __new__(
        cls,
        reactor: Reactor,
        *,
        slow: Literal["disconnect", "drop", "latest"] = "disconnect",
        max_queue_bytes: int = ...,
    ) -> Self: ...
    def add(self, member: WebSocket | Exchange) -> None:
        """Send to it from now on.

        Raises:
            TypeError: It is neither a `WebSocket` nor an `Exchange`.
            ValueError: It belongs to another loop.
        """

    def discard(self, member: WebSocket | Exchange) -> None:
        """Send to it no longer; it gets what was sent already."""

    def send(
        self,
        message: _Buffer | str | None = None,
        *,
        binary: bool | None = None,
        stream: _Buffer | str | None = None,
    ) -> int:
        """Send at the end of the turn; returns the number of members.

        Args:
            message: For the WebSockets, as for `WebSocket.send`.
            binary: As for `WebSocket.send`.
            stream: For the streamed answers: a piece of the body, in the caller's framing.

        Raises:
            ValueError: As for `WebSocket.send`.
        """

    def __len__(self) -> int:
        """Members that are still there."""

def escape_html(text: str) -> str:
    """`&`, `<`, `>`, `"` and `'` as character references."""

def escape_value(value: object) -> str:
    """A value as text that may stand in HTML; what has `__html__` says itself what may."""

def text_of(value: object) -> str:
    """A value as text: bytes are UTF-8, everything else is what `str` makes of it.

    Raises:
        UnicodeDecodeError: Bytes that are no UTF-8.
    """

def etag(body: bytes) -> str:
    """A strong entity tag: the SHA-1 of `body` in double quotes."""

def parse_form(form: bytes | str, max_fields: int) -> dict[str, list[bytes]]:
    """The names and values of an urlencoded query or body; characters of text stand for bytes.

    Raises:
        ValueError: There are more fields, or a name is no UTF-8.
    """

def find_field(form: bytes | str, name: str, strip: bool, max_fields: int) -> str | None:
    """The last value of one field, its control characters made spaces; None where there is none.

    Raises:
        ValueError: As for `parse_form`, or the value is no UTF-8.
    """

def parse_cookie(field: str) -> dict[str, str]:
    """The names and values of a `Cookie` field; of a repeated name the first value."""

def find_cookie(field: str, name: str) -> str | None:
    """The first value of one cookie; None where there is none."""
