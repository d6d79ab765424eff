"""`GzipDecompressor`: gzip in pieces, with a bound on what comes out (RFC 1952)."""

import warnings
import zlib
from typing import Final, final

_GZIP: Final = 16 + zlib.MAX_WBITS


@final
class GzipDecompressor:
    """Decodes a stream of one gzip member or of several after each other.

    Give `decompress` a limit, and give it `unconsumed_tail` again until that is empty; then a
    small input cannot become a large output at once.
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        # Nothing of the present member has come yet, so the stream may end here.
        self._between = True
        self._tail = b""

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """Decode a piece.

        Args:
            value: What came, after the `unconsumed_tail` of the call before.
            max_length: Most bytes to return; 0, for no limit, is deprecated.

        Raises:
            zlib.error: It is no gzip.
        """
        if max_length <= 0:
            warnings.warn(
                "decompress without max_length has no bound on what it returns",
                DeprecationWarning,
                stacklevel=2,
            )
        out = bytearray()
        while value:
            room = max_length - len(out) if max_length > 0 else 0
            if max_length > 0 and room == 0:
                break
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            self._between = False
            out += self._member.decompress(value, room)
            if not self._member.eof:
                value = self._member.unconsumed_tail
                break
            self._between = True
            value = self._member.unused_data
        self._tail = value
        return bytes(out)

    @property
    def unconsumed_tail(self) -> bytes:
        """What was given and not yet decoded, because of the limit."""
        return self._tail

    def flush(self) -> bytes:
        """Say that all has been given; returns b"".

        Raises:
            ValueError: There is an `unconsumed_tail`.
            zlib.error: The last member is cut short.
        """
        if self._tail:
            raise ValueError("decompress must be given its unconsumed_tail before flush")
        if not self._between:
            raise zlib.error("the gzip data ends before its last member does")
        return b""
