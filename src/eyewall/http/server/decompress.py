"""Request bodies in gzip, decoded on their way to the application (RFC 9110, section 8.4)."""

import zlib
from collections.abc import Callable
from typing import Any, Final

from eyewall.base.gunzip import GzipDecompressor
from eyewall.http.engine import ProtocolError
from eyewall.http.exchange import Exchange

_PIECE: Final = 64 * 1024
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_ENCODING: Final = "content-encoding"
_CONSUMED: Final = "X-Consumed-Content-Encoding"

Arrived = Callable[[bytes | Exception], object]


def decompressing(app: Callable[[Any], object], most: int) -> Callable[[Exchange], object]:
    """An application that gets bodies in gzip decoded.

    Args:
        app: The application.
        most: Largest body in bytes once it is decoded, where the handler does not say.
    """

    def serve(exchange: Exchange) -> None:
        coding = exchange.header("Content-Encoding") if exchange.has_body else None
        if coding is not None and coding.strip().lower() in _GZIP:
            app(DecodedExchange(exchange, most))
        else:
            app(exchange)

    return serve


class DecodedExchange:
    """An exchange whose body is decoded; all else is the other one's.

    Args:
        exchange: The exchange.
        most: Largest decoded body in bytes.
    """

    def __init__(self, exchange: Exchange, most: int) -> None:
        self._inner = exchange
        self._most = most
        self._read = 0
        self._decoder = GzipDecompressor()
        self._coded = b""
        self._ended = False
        self.content_length: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All fields; the coding has another name, since the body has none any more."""
        return [
            (_CONSUMED if name.lower() == _ENCODING else name, value)
            for name, value in self._inner.headers
            if name.lower() != "content-length"
        ]

    def header(self, name: str) -> str | None:
        """One field, as `headers` has them."""
        wanted = name.lower()
        if wanted in {_ENCODING, "content-length"}:
            return None
        return self._inner.header("Content-Encoding" if wanted == _CONSUMED.lower() else name)

    def set_body_limit(self, max_bytes: int) -> None:
        """Limit the body, as it comes and decoded."""
        self._most = max_bytes
        self._inner.set_body_limit(max_bytes)

    def read(self, callback: Arrived) -> bytes | None:
        """The next decoded piece; see `Exchange.read`."""
        while True:
            piece = self._decoded()
            if piece or self._ended:
                return piece
            coded = self._inner.read(lambda coded: self._arrived(coded, callback))
            if coded is None:
                return None
            self._take(coded)

    def read_all(self, callback: Arrived) -> bytes | None:
        """The whole decoded body; see `Exchange.read_all`."""
        pieces: list[bytes] = []

        def arrived(piece: bytes | Exception | None) -> None:
            while isinstance(piece, bytes) and piece:
                pieces.append(piece)
                try:
                    piece = self.read(arrived)
                except ProtocolError as exc:
                    piece = exc
            if piece is not None:
                callback(piece if isinstance(piece, Exception) else b"".join(pieces))

        while piece := self.read(arrived):
            pieces.append(piece)
        return None if piece is None else b"".join(pieces)

    def _arrived(self, coded: bytes | Exception, callback: Arrived) -> None:
        if isinstance(coded, Exception):
            callback(coded)
            return
        try:
            self._take(coded)
            piece = self.read(callback)
        except ProtocolError as exc:
            callback(exc)
            return
        if piece is not None:
            callback(piece)

    def _take(self, coded: bytes) -> None:
        if coded:
            self._coded = coded
            return
        self._ended = True
        try:
            self._decoder.flush()
        except zlib.error:
            raise _refused(400, "invalid gzip data: the body ends before it does") from None

    def _decoded(self) -> bytes:
        if not self._coded:
            return b""
        try:
            piece = self._decoder.decompress(self._coded, _PIECE)
        except zlib.error:
            raise _refused(400, "invalid gzip data") from None
        self._coded = self._decoder.unconsumed_tail
        self._read += len(piece)
        if self._read > self._most:
            raise _refused(413, f"decompressed body too large: more than {self._most} bytes")
        return piece


def _refused(status: int, why: str) -> ProtocolError:
    error = ProtocolError(why)
    error.status = status
    return error
