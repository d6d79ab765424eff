"""Byte ranges (RFC 9110, section 14)."""

import re
from typing import Final, NamedTuple

_SPEC: Final = re.compile(r"([0-9]{0,18})-([0-9]{0,18})\Z")


class ByteRange(NamedTuple):
    """Part of a representation: from `start` up to, and not with, `end`."""

    start: int
    end: int


class Unsatisfiable(NamedTuple):
    """A range that lies outside; answered 416."""


def parse_range(field: str, size: int) -> ByteRange | Unsatisfiable | None:
    """The part that a `Range` field asks for.

    None means that the whole is to be sent: the field is malformed, of another unit, or names
    several ranges, which a server may ignore (RFC 9110, section 14.2).

    Args:
        field: The field's value.
        size: The representation's length in bytes.
    """
    unit, equals, spec = field.partition("=")
    if not equals or unit.strip().lower() != "bytes" or len(spec) > 64:
        return None
    match = _SPEC.match(spec.strip())
    if match is None:
        return None
    first, last = match[1], match[2]
    if not first:
        return _suffix(last, size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        return Unsatisfiable()
    return ByteRange(start, min(int(last) + 1, size) if last else size)


def _suffix(length: str, size: int) -> ByteRange | Unsatisfiable | None:
    if not length:
        return None
    if int(length) == 0 or size == 0:
        return Unsatisfiable()
    return ByteRange(max(0, size - int(length)), size)


def content_range(part: ByteRange | None, size: int) -> str:
    """A `Content-Range` field; without a part, the one of an answer 416."""
    if part is None:
        return f"bytes */{size}"
    return f"bytes {part.start}-{part.end - 1}/{size}"
