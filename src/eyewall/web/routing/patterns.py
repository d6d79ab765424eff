"""What can be known of a route's regular expression without matching anything."""

import re
from collections.abc import Iterator
from typing import Final

# A bracket that comes first in a set is one of its characters.
_ESCAPE_OR_SET: Final = re.compile(r"\\.|\[\^?\]?(?:[^]\\]|\\.)*\]|(?P<char>.)", re.DOTALL)


def literal_prefix(pattern: str) -> tuple[str, bool]:
    """What every path that matches begins with, and whether that is the whole path."""
    text = pattern.removeprefix("^")
    prefix = ""
    at = 0
    while at < len(text):
        char = text[at]
        if char == "$" and at == len(text) - 1:
            return prefix, True
        step = 1
        if char == "\\":
            if at + 1 >= len(text) or text[at + 1].isalnum():
                break
            char, step = text[at + 1], 2
        elif char == "|":
            return "", False
        elif char in ".^$*+?{}[]()":
            break
        following = text[at + step : at + step + 1]
        if following and following in "*+?{":
            break
        prefix += char
        at += step
    if _has_top_level_bar(text) or ("(?" in text and re.search(r"\(\?(?:#|[a-zA-Z-]+[:)])", text)):
        return "", False
    return prefix, False


def _has_top_level_bar(text: str) -> bool:
    depth = 0
    for _, char in _structure(text, 0):
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            return True
    return False


def reversible_parts(pattern: str) -> list[str] | None:
    """The literal parts around the pattern's groups; None where there is more than that."""
    text = pattern.removeprefix("^").removesuffix("$")
    parts, part, at = list[str](), "", 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            if at + 1 >= len(text) or text[at + 1].isalnum():
                return None
            part += text[at + 1]
            at += 2
        elif char == "(":
            end = _group_end(text, at)
            if end is None or text[at + 1 : at + 3] in {"?:", "?=", "?!", "?<"}:
                return None
            if text[end : end + 1] in {"?", "*", "+", "{"}:
                return None
            parts.append(part)
            part, at = "", end
        elif char in ".^$*+?{}[])|":
            return None
        else:
            part += char
            at += 1
    return [*parts, part]


def _group_end(text: str, start: int) -> int | None:
    depth = 0
    for at, char in _structure(text, start):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at + 1
    return None


def _structure(text: str, start: int) -> Iterator[tuple[int, str]]:
    """The characters that are neither escaped nor in a set, with their places."""
    for part in _ESCAPE_OR_SET.finditer(text, start):
        if part.lastgroup == "char":
            yield part.start(), part.group()
