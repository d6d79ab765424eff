"""Values of a program as short text that gives no secrets away.

Whatever a value is, its text is bounded, can be sent as UTF-8, and holds no character that a
terminal obeys. What is likely to be a secret, by the name beside it, is masked.
"""

import re
from collections.abc import Callable, Iterable, Sized
from itertools import islice
from typing import Any, Final

MASK: Final = "\u2022" * 6
"""What stands in a secret's place."""

MAX_VALUE_CHARS: Final = 240
# By how deep a container stands: together these bound the work on one value.
_MAX_ITEMS: Final = (4, 6, 20)
_MAX_OWN_SIZE: Final = 1000
_MAX_BITS: Final = 1024
# Longer than what is shown, so that a secret's name at the end is seen with its value.
_LOOKED_AT: Final = 4 * MAX_VALUE_CHARS

_WORDS: Final = (
    r"(?:pass(?:word|wd|phrase|code)|secret|token|cookie|authori[sz]ation|credential|xsrf|csrf"
    r"|(?:api|access|private|signing|encryption)[-_]?key)"
)
_SECRET_NAME: Final = re.compile(_WORDS, re.IGNORECASE)
# No repetition stands before the word, so a search takes time in proportion to the text.
_SECRET_PAIR: Final = re.compile(
    rf"""({_WORDS}[\w-]{{0,40}}+(?:["']?\s{{0,4}}+[=:]|["']\s{{0,4}}+,)\s{{0,4}}+b?)
        (?:'(?:[^'\\]|\\.)*+'?|"(?:[^"\\]|\\.)*+"?|[^\s,;&)}}\]]++)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_USER_INFO: Final = re.compile(r"(://[^\s:/@'\"]{0,100}+:)[^\s/@'\"]{1,200}+@")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def is_secret(name: str) -> bool:
    """Whether what has this name is likely to be a secret."""
    return _SECRET_NAME.search(name) is not None


def masked(text: str) -> str:
    """Text without the values that stand behind a secret's name, and passwords in URLs."""
    text = _SECRET_PAIR.sub(rf"\1{MASK}", text)
    return _USER_INFO.sub(rf"\1{MASK}@", text)


def printable(text: str, max_chars: int) -> str:
    """Text that can be encoded and shown anywhere, cut after `max_chars` characters."""
    if len(text) > max_chars:
        text = f"{text[: max_chars - 1]}\u2026"
    text = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def call_safely(function: Callable[[Any], str], value: object) -> str:
    """What a function makes of a value, or how it failed: `str` and `repr` run any code.

    Code that raises costs its own text alone.
    """
    try:
        return function(value)
    except Exception as exc:  # noqa: BLE001 - a boundary: the value's own code runs here
        return f"<{function.__name__}() of {type(value).__name__} raised {type(exc).__name__}>"


def value_text(name: str, value: object) -> str:
    """The text of a variable.

    Args:
        name: Its name; where that tells of a secret, the value is masked.
        value: Its value.
    """
    if is_secret(name) and not (value is None or isinstance(value, bool)):
        return MASK
    text = call_safely(represent, value)[:_LOOKED_AT]
    return printable(masked(text), MAX_VALUE_CHARS)


def represent(value: object) -> str:
    """The text of a value; of large ones only the beginning is looked at."""
    return _represent(value, len(_MAX_ITEMS))


def _represent(value: object, depth: int) -> str:
    kind = type(value)
    if kind in _CONTAINERS:
        opening, closing = _CONTAINERS[kind]
        if depth == 0:
            return f"{opening}\u2026{closing}"
        return f"{opening}{_items(value, depth - 1)}{closing}"
    if isinstance(value, str | bytes | bytearray) and len(value) > _LOOKED_AT:
        return f"{value[:_LOOKED_AT]!r}\u2026"
    if kind is int and value.bit_length() > _MAX_BITS:  # type: ignore[attr-defined]  # it is an int
        return f"<int of {value.bit_length()} bits>"  # type: ignore[attr-defined]  # as above
    if isinstance(value, _GROWING) and isinstance(value, Sized) and len(value) > _MAX_OWN_SIZE:
        return f"<{kind.__name__} of {len(value)} items>"
    return call_safely(repr, value)


def _items(value: Any, depth: int) -> str:
    most = _MAX_ITEMS[depth]
    items: Iterable[str]
    if isinstance(value, dict):
        items = (_pair(key, value[key], depth) for key in islice(value, most))
    elif isinstance(value, tuple) and len(value) == 2 and _names_secret(value[0]):
        items = (_represent(value[0], depth), MASK)
    else:
        items = (_represent(item, depth) for item in islice(value, most))
    text = ", ".join(items)
    if len(value) > most:
        return f"{text}, \u2026 {len(value) - most} more"
    return f"{text}," if isinstance(value, tuple) and len(value) == 1 else text


def _pair(key: object, value: object, depth: int) -> str:
    shown = MASK if _names_secret(key) else _represent(value, depth)
    return f"{_represent(key, depth)}: {shown}"


def _names_secret(name: object) -> bool:
    if isinstance(name, bytes):
        name = name[:200].decode("latin-1")
    return isinstance(name, str) and is_secret(name[:200])


_CONTAINERS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    dict: ("{", "}"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}
_GROWING: Final = (list, tuple, dict, set, frozenset)
