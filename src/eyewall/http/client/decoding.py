"""Codings of a streamed response undone, piece by piece."""

from collections.abc import Iterator
from typing import Final

from eyewall.http.client.errors import HTTPDecodeError, HTTPTooLargeError
from eyewall.http.encoding import MAX_CODINGS, BodyTooLargeError, Decoder, EncodingError, decoder

_SLICE: Final = 4096
"""So little is decoded at a time, so that what comes out of a bomb is little too."""


class Undoing:
    """Undoes the codings of one response.

    Args:
        codings: The value of `Content-Encoding`, or None.
        max_bytes: Largest content, before and after each coding.

    Raises:
        HTTPDecodeError: A coding is not known.
    """

    def __init__(self, codings: str | None, max_bytes: int) -> None:
        names = [name.strip(" \t").lower() for name in (codings or "").split(",")]
        names = [name for name in names if name not in {"", "identity"}]
        if len(names) > MAX_CODINGS:
            raise HTTPDecodeError(f"more than {MAX_CODINGS} codings one upon another")
        try:
            self._decoders: list[Decoder] = [decoder(name, max_bytes) for name in reversed(names)]
        except EncodingError as error:
            raise HTTPDecodeError(str(error)) from error
        self._fed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out for a piece, in pieces.

        Raises:
            HTTPDecodeError: It is not in its coding.
            HTTPTooLargeError: More comes out than is allowed.
        """
        if not self._decoders:
            yield data
            return
        self._fed = True
        for at in range(0, len(data), _SLICE):
            piece = data[at : at + _SLICE]
            for one in self._decoders:
                piece = self._through(one, piece)
            if piece:
                yield piece

    def finish(self) -> None:
        """There is no more.

        Raises:
            HTTPDecodeError: The end is missing.
        """
        try:
            for one in self._decoders if self._fed else ():
                one.finish()
        except EncodingError as error:
            raise HTTPDecodeError(str(error)) from error

    @staticmethod
    def _through(one: Decoder, piece: bytes) -> bytes:
        try:
            return one.decompress(piece)
        except BodyTooLargeError as error:
            raise HTTPTooLargeError(f"decompressed body too large: {error}") from error
        except EncodingError as error:
            raise HTTPDecodeError(str(error)) from error
