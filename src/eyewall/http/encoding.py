"""Codings of bodies: gzip, deflate, br and zstd, in pieces and with a limit on what comes out.

RFC 9110, section 8.4.1; RFC 7932 (br); RFC 8878 and RFC 9659 (zstd). gzip and deflate are always
there. br needs `pip install eyewall[brotli]`, and zstd `pip install eyewall[zstd]` up to Python
3.13.
"""

import zlib
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol

from eyewall.base.errors import ConfigurationError, EyewallError

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_LEVELS: Final = {"gzip": 6, "deflate": 6, "br": 4, "zstd": 3}
"""Levels that are worth their time for answers made on the fly."""

CODINGS: Final = ("br", "zstd", "gzip", "deflate")
"""Every coding, the one that makes text smallest first."""

MAX_CODINGS: Final = 3
"""Codings one upon another that `decode` undoes."""

_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15
# A gzip member takes at least 18 bytes and can be empty. Feeding many in one piece would copy
# the rest for each of them.
_SLICE: Final = 4096
_PIECE: Final = 1 << 18
# One block of zstd is at least 4 bytes long and gives at most 128 KiB (RFC 8878, section 3.1.1.2).
_ZSTD_GAIN: Final = 32768
_ZSTD_SLICE: Final = 512
# RFC 9659: the largest window that a decoder of this content coding must take.
_ZSTD_WINDOW: Final = 8 << 20


class EncodingError(EyewallError, ValueError):
    """A body is not in the coding that it says, or ends too early."""


class BodyTooLargeError(EncodingError):
    """Decoding would give more than is allowed; what a decompression bomb runs into."""


class Encoder(Protocol):
    """Compresses a body in pieces."""

    def compress(self, data: bytes) -> bytes:
        """Take a piece; what is ready to be sent comes back, often nothing."""
        ...

    def flush(self) -> bytes:
        """All that was taken so far, so that the receiver can decode it now."""
        ...

    def finish(self) -> bytes:
        """The rest; nothing can be done with the encoder after it."""
        ...


class Decoder(Protocol):
    """Decompresses a body in pieces."""

    def decompress(self, data: bytes) -> bytes:
        """Take a piece; gives what it holds.

        Raises:
            BodyTooLargeError: All pieces together hold more than the decoder's limit.
            EncodingError: The piece is wrong.
        """
        ...

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The same as `decompress`, in pieces that are small whatever `data` holds."""
        ...

    def finish(self) -> None:
        """Say that there are no more pieces.

        Raises:
            EncodingError: The end is missing.
        """
        ...


@lru_cache(maxsize=1)
def available_codings() -> tuple[str, ...]:
    """The codings that can be had here, the one that makes text smallest first."""
    return tuple(name for name in CODINGS if _module(name) is not None)


@lru_cache(maxsize=8)
def _module(coding: str) -> ModuleType | None:
    if coding in {"gzip", "deflate"}:
        return zlib
    for name in {"br": ("brotli",), "zstd": ("compression.zstd", "zstandard")}.get(coding, ()):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _needed(coding: str) -> Any:
    module = _module(coding)
    if module is not None:
        return module
    if coding not in CODINGS:
        raise EncodingError(f"there is no content coding {coding[:40]!r}")
    extra = {"br": "brotli"}.get(coding, coding)
    raise ConfigurationError(
        f"the content coding {coding!r} needs a library: pip install eyewall[{extra}]"
    )


def encoder(coding: str, level: int | None = None) -> Encoder:
    """An encoder for one body.

    Args:
        coding: One of `CODINGS`.
        level: As the coding's library counts; None for the one of `DEFAULT_LEVELS`.

    Raises:
        ConfigurationError: The coding's library is missing.
        EncodingError: There is no such coding.
    """
    module = _needed(coding)
    level = DEFAULT_LEVELS[coding] if level is None else level
    if coding == "br":
        return _BrotliEncoder(module.Compressor(quality=level))
    if coding == "zstd":
        return _zstd_encoder(module, level)
    wbits = _GZIP if coding == "gzip" else _ZLIB
    return _ZlibEncoder(zlib.compressobj(level, zlib.DEFLATED, wbits))


def decoder(coding: str, max_bytes: int) -> Decoder:
    """A decoder for one body that gives at most `max_bytes` bytes; errors as for `encoder`."""
    module = _needed("gzip" if coding == "x-gzip" else coding)
    if coding == "br":
        return _BrotliDecoder(module, max_bytes)
    if coding == "zstd":
        return _ZstdDecoder(module, max_bytes)
    return _ZlibDecoder(None if coding == "deflate" else _GZIP, max_bytes)


def encode(coding: str, body: bytes, level: int | None = None) -> bytes:
    """A whole body in a coding; arguments and errors as for `encoder`.

    Example:
        >>> decode("gzip", encode("gzip", b"hello"), max_bytes=100)
        b'hello'
    """
    one = encoder(coding, level)
    return one.compress(body) + one.finish()


def decode(codings: str, body: bytes, max_bytes: int) -> bytes:
    """A whole body without its codings.

    Args:
        codings: The value of `Content-Encoding`: codings in the order in which they were applied.
        body: The body as it came.
        max_bytes: Largest size of the result, and of each step on the way to it.

    Raises:
        BodyTooLargeError: There is more in it.
        EncodingError: The body is wrong, a coding is unknown, or there are too many.
        ConfigurationError: A coding's library is missing.
    """
    names = [name.strip(" \t").lower() for name in codings.split(",", MAX_CODINGS + 1)]
    names = [name for name in names if name not in {"", "identity"}]
    if len(names) > MAX_CODINGS:
        raise EncodingError(f"more than {MAX_CODINGS} codings one upon another")
    for name in reversed(names):
        one = decoder(name, max_bytes)
        body = one.decompress(body)
        one.finish()
    return body


class _ZlibEncoder:
    """gzip and deflate."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def compress(self, data: bytes) -> bytes:
        compressed: bytes = self._stream.compress(data)
        return compressed

    def flush(self) -> bytes:
        flushed: bytes = self._stream.flush(zlib.Z_SYNC_FLUSH)
        return flushed

    def finish(self) -> bytes:
        rest: bytes = self._stream.flush()
        return rest


class _BrotliEncoder:
    """br."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def compress(self, data: bytes) -> bytes:
        compressed: bytes = self._stream.process(data)
        return compressed

    def flush(self) -> bytes:
        flushed: bytes = self._stream.flush()
        return flushed

    def finish(self) -> bytes:
        rest: bytes = self._stream.finish()
        return rest


class _ZstdEncoder:
    """zstd; the two libraries differ in the names of what `flush` shall do."""

    __slots__ = ("_block", "_end", "_stream")

    def __init__(self, stream: Any, block: int, end: int) -> None:
        self._stream = stream
        self._block = block
        self._end = end

    def compress(self, data: bytes) -> bytes:
        compressed: bytes = self._stream.compress(data)
        return compressed

    def flush(self) -> bytes:
        flushed: bytes = self._stream.flush(self._block)
        return flushed

    def finish(self) -> bytes:
        rest: bytes = self._stream.flush(self._end)
        return rest


def _zstd_encoder(module: Any, level: int) -> Encoder:
    if module.__name__ == "zstandard":
        stream = module.ZstdCompressor(level=level).compressobj()
        return _ZstdEncoder(stream, module.COMPRESSOBJ_FLUSH_BLOCK, module.COMPRESSOBJ_FLUSH_FINISH)
    kind = module.ZstdCompressor
    return _ZstdEncoder(kind(level=level), kind.FLUSH_BLOCK, kind.FLUSH_FRAME)


class _Limited:
    """Counts what comes out."""

    __slots__ = ("_max_bytes", "_room")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._room = max_bytes

    def decompress(self, data: bytes) -> bytes:
        return b"".join(self.pieces(data))

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """As the coding has it."""
        raise NotImplementedError

    def _taken(self, piece: bytes) -> Iterator[bytes]:
        if piece:
            self._room -= len(piece)
            if self._room < 0:
                raise BodyTooLargeError(f"the decoded body is over {self._max_bytes} bytes")
            yield piece


class _ZlibDecoder(_Limited):
    """gzip, also of several members (RFC 1952, section 2.2), and deflate with zlib's head or bare."""

    __slots__ = ("_between", "_stream", "_wbits")

    def __init__(self, wbits: int | None, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._wbits = wbits
        self._stream: Any = None
        self._between = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        try:
            for at in range(0, len(view), _SLICE):
                yield from self._feed(bytes(view[at : at + _SLICE]))
        except zlib.error as exc:
            raise EncodingError(f"the body is not in its coding: {exc}") from exc

    def _feed(self, data: bytes) -> Iterator[bytes]:
        is_full = False
        while data or is_full:
            if self._stream is None:
                if self._wbits is None:
                    # Half of the world takes "deflate" for the bare stream.
                    self._wbits = _ZLIB if data[0] & 0x0F == 8 else _RAW
                elif self._between and self._wbits != _GZIP:
                    raise EncodingError("there is something behind the end of the body")
                self._stream = zlib.decompressobj(self._wbits)
            # One byte more than there is room for tells too much from just enough.
            limit = min(self._room + 1, _PIECE)
            piece = self._stream.decompress(data, limit)
            yield from self._taken(piece)
            # All may have been taken in while not all has come out.
            is_full = len(piece) == limit and not self._stream.eof
            if self._stream.eof:
                data = self._stream.unused_data
                self._stream = None
                self._between = True
            else:
                data = self._stream.unconsumed_tail

    def finish(self) -> None:
        if self._stream is not None or not self._between:
            raise EncodingError("the body ends too early")


class _BrotliDecoder(_Limited):
    """br."""

    __slots__ = ("_error", "_stream")

    def __init__(self, module: Any, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._error: type[Exception] = module.error
        self._stream = module.Decompressor()
        if not hasattr(self._stream, "can_accept_more_data"):
            raise ConfigurationError("decoding br within limits needs brotli 1.2 or newer")

    def pieces(self, data: bytes) -> Iterator[bytes]:
        try:
            while True:
                if data and self._stream.is_finished():
                    raise EncodingError("there is something behind the end of the body")
                limit = min(self._room + 1, _PIECE)
                piece = self._stream.process(data, output_buffer_limit=limit)
                yield from self._taken(piece)
                data = b""
                # All may have been taken in while not all has come out.
                if len(piece) < limit and self._stream.can_accept_more_data():
                    return
        except self._error as exc:
            raise EncodingError(f"the body is not in its coding: {exc}") from exc

    def finish(self) -> None:
        if not self._stream.is_finished():
            raise EncodingError("the body ends too early")


class _ZstdDecoder(_Limited):
    """zstd, also of several frames."""

    __slots__ = ("_error", "_make", "_stream")

    def __init__(self, module: Any, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._error: type[Exception] = module.ZstdError
        self._make: Callable[[], Any]
        if module.__name__ == "zstandard":
            self._make = module.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj
        else:
            options = {module.DecompressionParameter.window_log_max: 23}
            self._make = lambda: module.ZstdDecompressor(options=options)
        self._stream = self._make()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        try:
            while view:
                # So much that what comes out has room; in steps, where there is hardly any.
                step = min(max(self._room // _ZSTD_GAIN, 16), _ZSTD_SLICE)
                piece, view = bytes(view[:step]), view[step:]
                while piece:
                    if self._stream.eof:
                        self._stream = self._make()
                    yield from self._taken(self._stream.decompress(piece))
                    piece = self._stream.unused_data if self._stream.eof else b""
        except self._error as exc:
            raise EncodingError(f"the body is not in its coding: {exc}") from exc

    def finish(self) -> None:
        if not self._stream.eof:
            raise EncodingError("the body ends too early")
