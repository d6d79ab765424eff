"""Bodies in pieces of a size that was chosen."""

from collections.abc import Callable
from typing import Any

from eyewall.http.exchange import Exchange


def in_pieces(app: Callable[[Any], object], size: int) -> Callable[[Exchange], object]:
    """An application that gets bodies in pieces of at most `size` bytes."""
    return lambda exchange: app(_Pieces(exchange, size) if exchange.has_body else exchange)


class _Pieces:
    """An exchange whose body comes in small pieces; all else is the other one's."""

    def __init__(self, exchange: Exchange, size: int) -> None:
        self._inner = exchange
        self._size = size
        self._left = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, callback: Callable[[bytes | Exception], object]) -> bytes | None:
        """The next piece; see `Exchange.read`."""
        if self._left:
            return self._first(self._left)

        def arrived(piece: bytes | Exception) -> None:
            callback(piece if isinstance(piece, Exception) else self._first(piece))

        piece = self._inner.read(arrived)
        return None if piece is None else self._first(piece)

    def _first(self, piece: bytes) -> bytes:
        self._left = piece[self._size :]
        return piece[: self._size]
