"""Routes as users write them: patterns, templates, names."""

import re
from collections.abc import Callable
from typing import Any, Final, final
from urllib.parse import quote

_TEMPLATE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?\}")
_CONVERTERS: Final[dict[str, tuple[str, Callable[[str], Any] | None]]] = {
    "str": (r"[^/]+", None),
    "path": (r".+", None),
    "int": (r"[0-9]+", int),
    "float": (r"[0-9]+(?:\.[0-9]+)?", float),
    "uuid": (r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", None),
}


@final
class URLSpec:
    """A route: a pattern, what handles it, and a name.

    Args:
        pattern: A regular expression for the whole path; its groups become arguments of the
            handler, named groups keyword arguments.
        handler: A `RequestHandler` subclass, or a function.
        kwargs: Keyword arguments for the handler's `initialize`.
        name: For `reverse_url`.

    Raises:
        ValueError: Named and unnamed groups are mixed, or the expression is malformed.
    """

    __slots__ = ("handler", "kwargs", "name", "pattern", "regex")

    def __init__(
        self,
        pattern: str,
        handler: Any,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        whole = pattern if pattern.endswith("$") else f"{pattern}$"
        try:
            self.regex = re.compile(whole)
        except re.error as exc:
            raise ValueError(f"route {pattern!r} is no regular expression: {exc}") from exc
        if self.regex.groupindex and len(self.regex.groupindex) != self.regex.groups:
            raise ValueError(f"groups of route {pattern!r} must be all named or all unnamed")
        self.pattern = whole
        self.handler = handler
        self.kwargs = kwargs or {}
        self.name = name

    def reverse(self, *args: Any) -> str:
        """The path of this route with `args` in its groups.

        Raises:
            ValueError: The pattern cannot be reversed, or takes another number of arguments.
        """
        parts = _reversible(self.pattern)
        if parts is None:
            raise ValueError(f"route {self.pattern!r} cannot be reversed")
        if len(args) != len(parts) - 1:
            raise ValueError(
                f"route {self.pattern!r} takes {len(parts) - 1} arguments, not {len(args)}"
            )
        path = parts[0]
        for part, arg in zip(parts[1:], args, strict=True):
            text = arg.decode() if isinstance(arg, bytes) else str(arg)
            path += quote(text, safe="/!$&'()*+,;=:@~") + part
        return path

    def __repr__(self) -> str:
        return f"URLSpec({self.pattern!r}, {self.handler!r}, name={self.name!r})"


url = URLSpec


def from_tuple(rule: Any) -> URLSpec:
    """A route from any of the tuples in use.

    Raises:
        TypeError: It is none of them.
    """
    if isinstance(rule, URLSpec):
        return rule
    if isinstance(rule, tuple | list) and 2 <= len(rule) <= 4 and isinstance(rule[0], str):
        rest = list(rule[2:])
        if len(rest) == 1 and isinstance(rest[0], str):
            return URLSpec(rule[0], rule[1], None, rest[0])
        return URLSpec(rule[0], rule[1], *rest)
    raise TypeError(
        f"a route is (pattern, handler), with keyword arguments and a name behind, not {rule!r}"
    )


def from_template(template: str) -> tuple[str, dict[str, Callable[[str], Any]]]:
    """A path with `{name}` or `{name:int}` as a regular expression, and the converters.

    Raises:
        ValueError: A converter that does not exist, or a repeated name.
    """
    converters: dict[str, Callable[[str], Any]] = {}
    pattern, end, seen = "", 0, set[str]()
    for match in _TEMPLATE.finditer(template):
        name, kind = match[1], match[2] or "str"
        if kind not in _CONVERTERS:
            known = ", ".join(_CONVERTERS)
            raise ValueError(f"{{{name}:{kind}}}: there is no {kind!r}; there are {known}")
        if name in seen:
            raise ValueError(f"{{{name}}} stands twice in {template!r}")
        seen.add(name)
        regex, convert = _CONVERTERS[kind]
        if convert is not None:
            converters[name] = convert
        pattern += f"{re.escape(template[end : match.start()])}(?P<{name}>{regex})"
        end = match.end()
    return pattern + re.escape(template[end:]), converters


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


def _reversible(pattern: str) -> list[str] | None:
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
