"""Text transforms: UTF-8, JSON, URLs, HTML."""

import html
import re
from collections.abc import Callable
from typing import Any, Final, overload
from urllib.parse import quote, quote_plus

import msgspec

from eyewall.base.engine import escape_html

_SHOWN: Final = 30
_PERCENT: Final = ord("%")
_DIGITS: Final = "0123456789abcdefABCDEF"
_ESCAPES: Final = {(a + b).encode(): int(a + b, 16) for a in _DIGITS for b in _DIGITS}
_BLANK: Final = re.compile(r"[\x00-\x20]+")
# How an address begins, in HTML: with a protocol, or with "www.".
_BEGINNING: Final = re.compile(r"\b(?:([a-z][\w-]{0,20}):/{1,3}|www[.])", re.IGNORECASE)
# What it goes on with, step by step: plain characters, a reference, or one pair of brackets.
_STEP: Final = re.compile(
    r"[^\s&()]+|&(?:amp|quot);|\((?:[^\s&()]|&(?:amp|quot);)*\)", re.IGNORECASE
)
_REFERENCE: Final = re.compile(r"&(?:amp|quot);\Z")
_NEVER_LAST: Final = "!\"#$%&'*+,.:;<=>?@[]^`{|}~"

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


def url_escape(value: str | bytes, plus: bool = True) -> str:
    """`value` for use in a URL; spaces become "+", or "%20" when `plus` is false."""
    return quote_plus(value) if plus else quote(value, safe="")


@overload
def url_unescape(value: str | bytes, encoding: None, plus: bool = True) -> bytes: ...


@overload
def url_unescape(value: str | bytes, encoding: str = "utf-8", plus: bool = True) -> str: ...


def url_unescape(
    value: str | bytes, encoding: str | None = "utf-8", plus: bool = True
) -> str | bytes:
    """The text of a URL-escaped value.

    Args:
        value: The escaped value.
        encoding: Of the bytes that the escapes mean; None returns these bytes.
        plus: Whether "+" means a space.

    Raises:
        UnicodeDecodeError: The bytes are not in that encoding.
    """
    data = value.encode("latin-1", "replace") if isinstance(value, str) else value
    if plus:
        data = data.replace(b"+", b" ")
    data = unquote_bytes(data)
    return data if encoding is None else data.decode(encoding)


def unquote_bytes(data: bytes) -> bytes:
    """`data` with its percent escapes decoded; what is no escape stays as it is.

    It takes a few bytes of memory for each of `data`, however many escapes there are, where
    the standard library's function makes an object for each.
    """
    at = data.find(b"%")
    if at < 0:
        return data
    out = bytearray()
    start = 0
    while at >= 0:
        out += data[start:at]
        byte = _ESCAPES.get(data[at + 1 : at + 3])
        if byte is None:
            out.append(_PERCENT)
            start = at + 1
        else:
            out.append(byte)
            start = at + 3
        at = data.find(b"%", start)
    out += data[start:]
    return bytes(out)


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
    qs: str | bytes,
    keep_blank_values: bool = False,
    strict_parsing: bool = False,
    max_num_fields: int | None = None,
) -> dict[str, list[bytes]]:
    """A query's fields: names as text, a character for each byte, and values as bytes.

    Args:
        qs: The query.
        keep_blank_values: Whether empty values count.
        strict_parsing: Whether what is no field is an error.
        max_num_fields: Most fields that it may have.

    Raises:
        ValueError: Something is no field, in strict parsing; or there are too many.
    """
    data = qs.encode("latin-1") if isinstance(qs, str) else qs
    if max_num_fields is not None and data.count(b"&") >= max_num_fields:
        raise ValueError(f"the query has more than {max_num_fields} fields")
    fields: dict[str, list[bytes]] = {}
    for field in data.replace(b"+", b" ").split(b"&") if data else ():
        name, equals, value = field.partition(b"=")
        if not equals and strict_parsing:
            raise ValueError(f"{field[:_SHOWN]!r} is no field of a query")
        if value or (keep_blank_values and (name or equals)):
            fields.setdefault(unquote_bytes(name).decode("latin-1"), []).append(
                unquote_bytes(value)
            )
    return fields


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
    escaped = xhtml_escape(text)
    pieces: list[str] = []
    at = 0
    while (match := _BEGINNING.search(escaped, at)) is not None:
        end = _address_end(escaped, match.end())
        address, protocol = escaped[match.start() : end], match[1]
        allowed = protocol in permitted_protocols if protocol else not require_protocol
        pieces.append(escaped[at : match.start()])
        if end == match.end() or not allowed:
            pieces.append(address)
        else:
            pieces.append(_link(address, bool(protocol), shorten, extra_params))
        at = end
    return "".join([*pieces, escaped[at:]])


def _address_end(text: str, start: int) -> int:
    """Where an address ends that has begun before `start`; `start` when nothing follows."""
    end = start
    while (step := _STEP.match(text, end)) is not None:
        end = step.end()
    # Punctuation at the end is the sentence's.
    while end > start:
        reference = _REFERENCE.search(text, max(start, end - 6), end)
        if reference is not None:
            end = reference.start()
        elif text[end - 1] in _NEVER_LAST:
            end -= 1
        else:
            break
    return end


def _link(
    address: str, has_protocol: bool, shorten: bool, extra_params: str | Callable[[str], str]
) -> str:
    href = address if has_protocol else f"http://{address}"
    attributes = (extra_params(href) if callable(extra_params) else extra_params).strip()
    if attributes:
        attributes = " " + attributes
    shown = address
    if shorten and len(address) > _SHOWN:
        shown = _shortened(address, has_protocol)
        if shown != address:
            attributes += f' title="{href}"'
    return f'<a href="{href}"{attributes}>{shown}</a>'


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
