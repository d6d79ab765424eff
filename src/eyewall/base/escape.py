"""Text transforms: UTF-8, JSON, URLs, HTML."""

from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_to_bytes

import msgspec

_encode: Final = msgspec.json.Encoder(order=None).encode


def utf8(value: str | bytes | None) -> bytes | None:
    """`value` as UTF-8; bytes and None are returned as they are."""
    return value.encode() if isinstance(value, str) else value


def to_unicode(value: str | bytes | None) -> str | None:
    """`value` as text; str and None are returned as they are."""
    return value.decode() if isinstance(value, bytes) else value


def json_encode(value: Any) -> str:
    r"""`value` as JSON that may stand in a `<script>`: "</" is written as "<\/"."""
    return json_bytes(value).decode()


def json_bytes(value: Any) -> bytes:
    """The same as `json_encode`, as UTF-8."""
    text = _encode(value)
    # Looking is cheaper than replacing, and there is seldom something to replace.
    return text.replace(b"</", b"<\\/") if b"</" in text else text


def json_decode(value: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as exc:
        raise ValueError(f"not valid JSON: {exc}") from exc


def url_escape(value: str | bytes, *, plus: bool = True) -> str:
    """`value` for use in a URL; spaces become "+", or "%20" when `plus` is false."""
    return quote_plus(value) if plus else quote(value, safe="")


def url_unescape(value: str | bytes, *, plus: bool = True) -> str:
    """The text of a URL-escaped value.

    Raises:
        UnicodeDecodeError: The bytes are no UTF-8.
    """
    data = value.encode("latin-1", "replace") if isinstance(value, str) else value
    if plus:
        data = data.replace(b"+", b" ")
    return unquote_to_bytes(data).decode()
