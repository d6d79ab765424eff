"""Compression of answers on their way out (RFC 9110, sections 8.4 and 12.5.3).

A `Compression` is made once from the setting `compress_response` and is a transform's factory: it
is called with each request. An application without the setting has no such transform, and pays
nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, NamedTuple, final

from eyewall.base.errors import ConfigurationError
from eyewall.http.encoding import (
    CODINGS,
    DEFAULT_LEVELS,
    Encoder,
    available_codings,
    encode,
    encoder,
)
from eyewall.http.headers import HTTPHeaders
from eyewall.http.negotiation import preferred_encoding
from eyewall.http.request import HTTPServerRequest

MIN_BYTES: Final = 1024
"""Smaller bodies are sent as they are: they fit into a packet or two in any case."""

COMPRESSIBLE: Final = frozenset(
    {
        "application/ecmascript",
        "application/geo+json",
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/ndjson",
        "application/rtf",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-javascript",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/svg+xml",
        "image/vnd.microsoft.icon",
        "image/x-icon",
    }
)
"""Types worth compressing beside `text/*` and those that end with `+json`, `+xml` or `+text`."""

_SUFFIXES: Final = ("+json", "+xml", "+text")
_VARY: Final = "Accept-Encoding"
_NOT_MODIFIED: Final = 304
# Answers without a body, and 206: its bytes are counted in the representation as it lies there.
_AS_THEY_ARE: Final = frozenset({204, 205, 206})


class Chosen(NamedTuple):
    """What an answer is compressed with."""

    coding: str
    encoder: Encoder


def is_compressible(content_type: str | None, types: Iterable[str] | None = None) -> bool:
    """Whether bodies of a type get smaller by compression.

    Args:
        content_type: The value of `Content-Type`.
        types: Types that count instead of those of `COMPRESSIBLE`; `text/*` stands for all of
            that family.

    Example:
        >>> is_compressible("text/html; charset=UTF-8"), is_compressible("image/png")
        (True, False)
    """
    kind = (content_type or "").partition(";")[0].strip(" \t").lower()
    if types is not None:
        return kind in types or f"{kind.partition('/')[0]}/*" in types
    return kind.startswith("text/") or kind in COMPRESSIBLE or kind.endswith(_SUFFIXES)


@final
class Compression:
    """What is compressed, and how.

    Args:
        min_bytes: Bodies that are known to be smaller are left alone.
        level: Of every coding, or by coding; `DEFAULT_LEVELS` where it says nothing.
        encodings: Codings, the best first; by default all that there are libraries for, but
            deflate, which clients understand in two ways.
        types: Content types to compress instead of those that are known to gain by it;
            `text/*` stands for a family.

    Raises:
        ConfigurationError: A coding is unknown, or its library is not there.
    """

    __slots__ = ("_levels", "_min_bytes", "_types", "encodings")

    def __init__(
        self,
        *,
        min_bytes: int = MIN_BYTES,
        level: int | Mapping[str, int] | None = None,
        encodings: Iterable[str] | None = None,
        types: Iterable[str] | None = None,
    ) -> None:
        if encodings is None:
            encodings = (name for name in available_codings() if name != "deflate")
        self.encodings = tuple(encodings)
        for name in self.encodings:
            if name not in CODINGS:
                known = ", ".join(CODINGS)
                raise ConfigurationError(f"compress_response: {name!r} is none of {known}")
        if level is None:
            level = {}
        elif isinstance(level, int):
            level = dict.fromkeys(CODINGS, level)
        self._levels = {**DEFAULT_LEVELS, **level}
        self._min_bytes = min_bytes
        self._types = None if types is None else frozenset(each.lower() for each in types)
        for name in self.encodings:
            # What cannot be had, or a level that does not exist, is told at the start.
            encode(name, b"", self._levels[name])

    @classmethod
    def from_setting(cls, setting: bool | Mapping[str, Any] | None) -> "Compression | None":
        """What the setting `compress_response` asks for; None when it is off.

        Args:
            setting: A bool, or a mapping of this class's arguments.

        Raises:
            ConfigurationError: There is no such option, or as for the class.
        """
        if not setting:
            return None
        if setting is True:
            return cls()
        try:
            return cls(**setting)
        except TypeError as exc:
            raise ConfigurationError(f"compress_response: {exc}") from None

    def __call__(self, request: HTTPServerRequest) -> "CompressionTransform":
        """The transform of one request's answer."""
        return CompressionTransform(self, request)

    def is_eligible(
        self, status: int, content_type: str | None, length: int | None, headers: Mapping[str, str]
    ) -> bool:
        """Whether an answer may be compressed for a client that wants it.

        Args:
            status: The answer's status.
            content_type: The value of `Content-Type`.
            length: Bytes of the body; None when that is not known yet.
            headers: The answer's headers.
        """
        if status in _AS_THEY_ARE or status < 200 or status == _NOT_MODIFIED:
            return False
        if "Content-Encoding" in headers or "Content-Range" in headers:
            return False
        if length is not None and length < self._min_bytes:
            return False
        if "no-transform" in headers.get("Cache-Control", "").lower():
            return False
        return is_compressible(content_type, self._types)

    def coding_for(self, accept_encoding: str | None) -> str | None:
        """The coding to answer in; None for the body as it is."""
        # An answer in a form that the client excluded is better than none (section 12.5.3).
        coding = preferred_encoding(accept_encoding, self.encodings)
        return None if coding == "identity" else coding

    def choose(
        self,
        accept_encoding: str | None,
        content_type: str | None,
        length: int | None,
        headers: Mapping[str, str],
        *,
        status: int = 200,
    ) -> Chosen | None:
        """An encoder for an answer; None when it is sent as it is.

        Args:
            accept_encoding: What the request accepts.
            content_type: The value of `Content-Type`.
            length: Bytes of the body; None when that is not known yet.
            headers: The answer's headers.
            status: The answer's status.
        """
        if not self.is_eligible(status, content_type, length, headers):
            return None
        coding = self.coding_for(accept_encoding)
        return None if coding is None else Chosen(coding, self.encoder(coding))

    def encoder(self, coding: str) -> Encoder:
        """An encoder at the level that was set."""
        return encoder(coding, self._levels[coding])

    def whole(
        self,
        accept_encoding: str | None,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[dict[str, str], bytes]:
        """The headers and the body of an answer that is complete.

        Args:
            accept_encoding: What the request accepts.
            status: The answer's status.
            headers: The answer's headers, each name once.
            body: The whole body.
        """
        fields = HTTPHeaders(headers)
        body = self.compress_whole(accept_encoding, status, fields, body)
        return dict(fields), body

    def compress_whole(
        self, accept_encoding: str | None, status: int, headers: HTTPHeaders, body: bytes
    ) -> bytes:
        """As `whole`, changing the headers in place; returns the body."""
        if status == _NOT_MODIFIED:
            self._mark_not_modified(accept_encoding, headers)
            return body
        if not self.is_eligible(status, headers.get("Content-Type"), len(body), headers):
            return body
        add_vary(headers)
        coding = self.coding_for(accept_encoding)
        if coding is None:
            return body
        smaller = encode(coding, body, self._levels[coding])
        if len(smaller) >= len(body):
            return body
        mark(headers, coding)
        if "Content-Length" in headers:
            headers["Content-Length"] = str(len(smaller))
        return smaller

    def _mark_not_modified(self, accept_encoding: str | None, headers: HTTPHeaders) -> None:
        # RFC 9110, section 15.4.5: what the 200 would have had. The type is not known any more.
        add_vary(headers)
        if "Etag" in headers and self.coding_for(accept_encoding) is not None:
            headers["Etag"] = _weak(headers["Etag"])


class CompressionTransform:
    """Compresses one class handler's answer, whole or piece by piece.

    Each piece of a streamed answer is flushed, so that the client can read it at once.
    """

    __slots__ = ("_accept", "_encoder", "_heads", "_policy")

    def __init__(self, policy: Compression, request: HTTPServerRequest) -> None:
        self._policy = policy
        self._accept: str | None = request.exchange.header(_VARY)
        self._heads = request.method == "HEAD"
        self._encoder: Encoder | None = None

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Decide, change the headers, and compress the first piece."""
        policy = self._policy
        announced = headers.get("Content-Length", "")
        if finishing and not (self._heads and not chunk and announced):
            return (
                status_code,
                headers,
                policy.compress_whole(self._accept, status_code, headers, chunk),
            )
        length = int(announced) if announced.isdecimal() else None
        if not policy.is_eligible(status_code, headers.get("Content-Type"), length, headers):
            return status_code, headers, chunk
        add_vary(headers)
        coding = policy.coding_for(self._accept)
        if coding is None or finishing:
            # For HEAD the length of what GET would send is known only before compression.
            return status_code, headers, chunk
        mark(headers, coding)
        headers.pop("Content-Length", None)
        self._encoder = policy.encoder(coding)
        return status_code, headers, self.transform_chunk(chunk, finishing)

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Compress a further piece."""
        one = self._encoder
        if one is None:
            return chunk
        if finishing:
            self._encoder = None
            return one.compress(chunk) + one.finish()
        return one.compress(chunk) + one.flush() if chunk else b""


class GZipContentEncoding(CompressionTransform):
    """A transform that compresses with gzip alone, for `Application(transforms=[...])`.

    The setting `compress_response` does more; this is its old form. `MIN_LENGTH` is in bytes.
    """

    __slots__ = ()

    MIN_LENGTH: ClassVar[int] = MIN_BYTES
    GZIP_LEVEL: ClassVar[int] = DEFAULT_LEVELS["gzip"]

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(_gzip_alone(self.MIN_LENGTH, self.GZIP_LEVEL), request)


def _gzip_alone(min_bytes: int, level: int) -> Compression:
    known = _GZIP_ALONE.get((min_bytes, level))
    if known is None:
        known = Compression(min_bytes=min_bytes, level=level, encodings=("gzip",))
        _GZIP_ALONE[min_bytes, level] = known
    return known


_GZIP_ALONE: Final[dict[tuple[int, int], Compression]] = {}


def add_vary(headers: HTTPHeaders) -> None:
    """Say that the answer depends on `Accept-Encoding` (RFC 9110, section 12.5.5)."""
    named = headers.get("Vary")
    if named is None:
        headers["Vary"] = _VARY
        return
    names = {name.strip(" \t").lower() for name in named.split(",")}
    if "*" not in names and _VARY.lower() not in names:
        headers["Vary"] = f"{', '.join(headers.get_list('Vary'))}, {_VARY}"


def mark(headers: HTTPHeaders, coding: str) -> None:
    """Name the coding; the tag, which was made of other bytes, becomes a weak one."""
    headers["Content-Encoding"] = coding
    if "Etag" in headers:
        headers["Etag"] = _weak(headers["Etag"])


def _weak(tag: str) -> str:
    return tag if tag.startswith("W/") else f"W/{tag}"
