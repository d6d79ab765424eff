"""Messages compressed as WebSockets do it (RFC 7692), for those who make frames themselves."""

import zlib
from typing import Any, Final

# What every message ends with, and what is left out of it (section 7.2.1).
_END: Final = b"\x00\x00\xff\xff"


class DecompressTooLargeError(Exception):
    """A message is larger than allowed once it is decompressed."""


class Compressor:
    """Compresses messages.

    Args:
        persistent: Whether each message may refer to those before it.
        max_wbits: Size of the window, 9 to 15; None for 15.
        compression_options: `compression_level` and `mem_level`, for zlib.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        compression_options: dict[str, Any] | None = None,
    ) -> None:
        options = compression_options or {}
        self._level = options.get("compression_level", 6)
        self._mem_level = options.get("mem_level", 8)
        self._wbits = _window(max_wbits)
        self._kept = self._make() if persistent else None

    def _make(self) -> Any:
        return zlib.compressobj(self._level, zlib.DEFLATED, -self._wbits, self._mem_level)

    def compress(self, data: bytes) -> bytes:
        """One message."""
        one = self._kept or self._make()
        compressed: bytes = one.compress(data) + one.flush(zlib.Z_SYNC_FLUSH)
        return compressed.removesuffix(_END)


class Decompressor:
    """Decompresses messages.

    Args:
        persistent: Whether messages may refer to those before them.
        max_wbits: Size of the window, 8 to 15; None for 15.
        max_message_size: Most bytes of a message.
        compression_options: Taken as the compressor's, without effect.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        max_message_size: int,
        compression_options: dict[str, Any] | None = None,
    ) -> None:
        del compression_options
        self._most = max_message_size
        self._wbits = _window(max_wbits)
        self._kept = zlib.decompressobj(-self._wbits) if persistent else None

    def decompress(self, data: bytes) -> bytes:
        """One message.

        Raises:
            DecompressTooLargeError: It is too large.
            zlib.error: It is malformed.
        """
        one = self._kept or zlib.decompressobj(-self._wbits)
        message = one.decompress(data + _END, self._most)
        if one.unconsumed_tail and (more := one.decompress(one.unconsumed_tail, 1)):
            raise DecompressTooLargeError(f"{len(message) + len(more)} bytes and more")
        return message


def _window(wbits: int | None) -> int:
    if wbits is None:
        return zlib.MAX_WBITS
    if not 8 <= wbits <= zlib.MAX_WBITS:
        raise ValueError(f"a window has from 8 to {zlib.MAX_WBITS} bits, not {wbits}")
    return wbits


def masked(mask: bytes, data: bytes) -> bytes:
    """Data with its mask put on, or taken off (RFC 6455, section 5.3)."""
    if len(mask) != 4:
        raise ValueError(f"a mask has four bytes, not {len(mask)}")
    length = len(data)
    whole = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(whole, "big") ^ int.from_bytes(data, "big")).to_bytes(length, "big")
