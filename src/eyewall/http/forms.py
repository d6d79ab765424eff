"""Queries and urlencoded bodies, with limits."""

from urllib.parse import unquote_to_bytes

from eyewall.base.errors import EyewallError

MAX_FIELDS = 1000


class FormError(EyewallError, ValueError):
    """A query or a form that cannot be taken; answered 400."""


def parse_form(text: str, *, max_fields: int = MAX_FIELDS) -> dict[str, list[bytes]]:
    """The names and values of an urlencoded query or body; blank values are kept.

    Args:
        text: The encoded form; characters stand for bytes.
        max_fields: Most fields that are taken.

    Raises:
        FormError: There are more fields, or a name is no UTF-8.
    """
    fields: dict[str, list[bytes]] = {}
    if not text:
        return fields
    if text.count("&") >= max_fields:
        raise FormError(f"a form has more than {max_fields} fields")
    # Most queries have nothing to decode, and looking is cheaper than decoding.
    plain = "%" not in text and "+" not in text and text.isascii()
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if plain:
            decoded = value.encode()
        else:
            name, decoded = _decode_name(name), _decode(value)
        if name in fields:
            fields[name].append(decoded)
        else:
            fields[name] = [decoded]
    return fields


def _decode(part: str) -> bytes:
    return unquote_to_bytes(part.replace("+", " ").encode("latin-1", "replace"))


def _decode_name(part: str) -> str:
    try:
        return _decode(part).decode()
    except UnicodeDecodeError as exc:
        raise FormError("a form field's name is not UTF-8") from exc
