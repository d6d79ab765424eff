"""Content of responses as text and as values."""

import codecs
import re
from typing import Any, Final

import msgspec

_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._:-]+)", re.IGNORECASE)


def decode_json(body: bytes, kind: Any = None) -> Any:
    """Content as JSON, checked against a type where one is given.

    Raises:
        ValueError: It is no JSON, or not of that type.
    """
    try:
        return msgspec.json.decode(body) if kind is None else msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the content is not the JSON that was expected: {error}") from error


def decode_text(body: bytes, content_type: str) -> str:
    """Content as text, in the character set that the type names, else UTF-8.

    Raises:
        UnicodeDecodeError: It is not in that character set.
    """
    return body.decode(charset(content_type))


def charset(content_type: str) -> str:
    """The character set that a media type names and Python knows; else UTF-8."""
    named = _CHARSET.search(content_type)
    try:
        return codecs.lookup(named[1]).name if named is not None else "utf-8"
    except LookupError:
        return "utf-8"
