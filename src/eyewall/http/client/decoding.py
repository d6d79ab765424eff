"""Codings of a streamed response undone, piece by piece."""

from collections.abc import Iterator
from typing import Final

from eyewall.http.client.errors import HTTPDecodeError, HTTPTooLargeError
from eyewall.http.encoding import MAX_CODINGS, BodyTooLargeError, Decoder, EncodingError, decoder

UNLIMITED: Final = 1 << 62
"""For streams, which may be of any length; what comes out at a time is little nevertheless."""


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
        try:
            yield from self._through(data, 0)
        except BodyTooLargeError as error:
            raise HTTPTooLargeError(f"decompressed body too large: {error}") from error
        except EncodingError as error:
            raise HTTPDecodeError(str(error)) from error

    def _through(self, data: bytes, number: int) -> Iterator[bytes]:
        if number == len(self._decoders):
            yield data
            return
        for piece in self._decoders[number].pieces(data):
            yield from self._through(piece, number + 1)

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
