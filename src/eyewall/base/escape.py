"""Text transforms: UTF-8, JSON, URLs, HTML."""

import html
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, quote, quote_plus, unquote_to_bytes

import msgspec

from eyewall.base.engine import escape_html

_SHOWN: Final = 30
_BLANK: Final = re.compile(r"[\x00-\x20]+")
# An address: a protocol or "www.", then what addresses are made of, not ending in punctuation.
# What stands in brackets belongs to it, one level deep.
_ADDRESS: Final = re.compile(
    r"\b(?:([a-z][\w-]{0,20}):(?:/{1,3})|www[.])"
    r"(?:(?:(?:[^\s&()]|&amp;|&quot;){1,2000})|\((?:[^\s&()]|&amp;){0,2000}\))"
    r"(?:[^\s`!()\[\]{};:'\".,<>?\u00ab\u00bb\u201c\u201d\u2018\u2019&]|\([^\s()]{0,2000}\)){0,1}",
    re.IGNORECASE,
)

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


def native_str(value: str | bytes | None) -> str | None:
    """`value` as `str`, decoded as UTF-8 where it is bytes."""
    return to_unicode(value)


to_basestring = native_str


def recursive_unicode(value: Any) -> Any:
    """`value` with all bytes in its dicts, lists and tuples decoded."""
    if isinstance(value, dict):
        return {recursive_unicode(key): recursive_unicode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [recursive_unicode(item) for item in value]
    if isinstance(value, tuple):
        return tuple(recursive_unicode(item) for item in value)
    return value.decode() if isinstance(value, bytes) else value


def xhtml_escape(value: str | bytes | None) -> str:
    """`value` as HTML text or in a quoted attribute: `&`, `<`, `>` and quotes become references."""
    return escape_html(to_unicode(value) or "")


def xhtml_unescape(value: str | bytes) -> str:
    """The text that HTML means: character references become characters."""
    return html.unescape(to_unicode(value) or "")


def squeeze(value: str) -> str:
    """`value` with every run of white space and control characters made one space."""
    return _BLANK.sub(" ", value).strip()


def parse_qs_bytes(
    qs: str | bytes, keep_blank_values: bool = False, strict_parsing: bool = False
) -> dict[str, list[bytes]]:
    """A query's fields, names as text and values as bytes.

    Args:
        qs: The query.
        keep_blank_values: Whether empty values count.
        strict_parsing: Whether what is no field is an error.

    Raises:
        ValueError: Something is no field, in strict parsing.
    """
    text = qs.decode("latin-1") if isinstance(qs, bytes) else qs
    fields = parse_qs(text, keep_blank_values, strict_parsing, encoding="latin-1", errors="strict")
    return {name: [value.encode("latin-1") for value in values] for name, values in fields.items()}


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | Callable[[str], str] = "",
    require_protocol: bool = False,
    permitted_protocols: tuple[str, ...] | list[str] = ("http", "https"),
) -> str:
    """Plain text as HTML with its addresses made links.

    Args:
        text: The text; it is escaped.
        shorten: Whether long addresses are shown shortened.
        extra_params: Attributes for the links, or a function of the address that gives them.
        require_protocol: Whether "www.example.com" alone is no link.
        permitted_protocols: What links may begin with.

    Example:
        >>> linkify("see www.example.com")
        'see <a href="http://www.example.com">www.example.com</a>'
    """
    attributes = "" if callable(extra_params) or not extra_params else f" {extra_params.strip()}"

    def link(match: re.Match[str]) -> str:
        address, protocol = match[0], match[1]
        if (require_protocol and not protocol) or (
            protocol and protocol not in permitted_protocols
        ):
            return address
        # A bracket that was opened before the address does not belong to it.
        href = address if protocol else f"http://{address}"
        params = f" {extra_params(href).strip()}" if callable(extra_params) else attributes
        shown = address
        if shorten and len(address) > _SHOWN:
            shown = _shortened(address, bool(protocol))
            if shown != address:
                params += f' title="{href}"'
        return f'<a href="{href}"{params}>{shown}</a>'

    return _ADDRESS.sub(link, xhtml_escape(text))


def _shortened(address: str, has_protocol: bool) -> str:
    start = address.index("//") + 2 if has_protocol else 0
    parts = address[start:].split("/")
    shown = address[:start] + parts[0]
    if len(parts) > 1:
        # The host, and a little of what follows it, up to a query.
        shown += "/" + re.split(r"[?.]", parts[1], maxsplit=1)[0][:8]
    if len(shown) > _SHOWN * 1.5:
        shown = shown[:_SHOWN]
    if shown == address:
        return address
    # A reference that was cut in two would show as something else.
    ampersand = shown.rfind("&")
    if ampersand > len(shown) - 5:
        shown = shown[:ampersand]
    shown += "..."
    return address if len(shown) >= len(address) else shown
