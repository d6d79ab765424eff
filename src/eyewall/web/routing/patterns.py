"""What can be known of a route's regular expression without matching anything."""

import re


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
    if _has_top_level_bar(text) or ("(?" in text and re.search(r"\(\?[a-zA-Z-]+[:)]", text)):
        return "", False
    return prefix, False


def _has_top_level_bar(text: str) -> bool:
    depth, at, in_set = 0, 0, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif in_set:
            in_set = char != "]"
        elif char == "[":
            in_set = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "|" and depth == 0:
            return True
        at += 1
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
    depth, at, in_set = 0, start, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif in_set:
            in_set = char != "]"
        elif char == "[":
            in_set = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return None
