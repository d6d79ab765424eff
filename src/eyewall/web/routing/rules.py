"""Routes as users write them: patterns, templates, names."""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from eyewall.http.request import HTTPServerRequest
from eyewall.web.routing.patterns import reversible_parts

_TEMPLATE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?\}")
_CONVERTERS: Final[dict[str, tuple[str, Callable[[str], Any] | None]]] = {
    "str": (r"[^/]+", None),
    "path": (r".+", None),
    "int": (r"[0-9]+", int),
    "float": (r"[0-9]+(?:\.[0-9]+)?", float),
    "uuid": (r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", None),
}


class Matcher:
    """Whether a rule is for a request; subclass it for rules of your own."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """None where the rule is not for the request; else what its target is given.

        Of that, `path_args` and `path_kwargs` become arguments of the verb; the rest are
        keyword arguments of a router's `find_handler`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define match()")

    def reverse(self, *_args: Any) -> str | None:
        """The path that this matches with these arguments; None where there is no one path."""
        return None


class AnyMatches(Matcher):
    """Every request."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Nothing to say."""
        return {}


class HostMatches(Matcher):
    """Requests for hosts that a regular expression matches, ports left out.

    Args:
        host_pattern: The expression, for the whole name.
    """

    def __init__(self, host_pattern: str | re.Pattern[str]) -> None:
        self.host_pattern = _compiled(host_pattern)

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Compare the host."""
        return {} if self.host_pattern.match(request.host_name) else None


class MethodMatches(Matcher):
    """Requests with one of these methods.

    Args:
        methods: Their names.
    """

    def __init__(self, *methods: str) -> None:
        self.methods = frozenset(method.upper() for method in methods)

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Compare the method."""
        return {} if request.method in self.methods else None


class PathMatches(Matcher):
    """Requests for paths that a regular expression matches.

    Args:
        path_pattern: The expression, for the whole path; its groups become arguments of the
            handler, named groups keyword arguments.

    Raises:
        ValueError: Named and unnamed groups are mixed, or the expression is malformed.
    """

    def __init__(self, path_pattern: str | re.Pattern[str]) -> None:
        try:
            self.regex = _compiled(path_pattern)
        except re.error as exc:
            raise ValueError(f"route {path_pattern!r} is no regular expression: {exc}") from exc
        self.pattern = self.regex.pattern
        if self.regex.groupindex and len(self.regex.groupindex) != self.regex.groups:
            raise ValueError(f"groups of route {self.pattern!r} must be all named or all unnamed")

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Compare the path; its groups are percent-decoded."""
        match = self.regex.match(request.path)
        if match is None:
            return None
        if not self.regex.groups:
            return {}
        if self.regex.groupindex:
            return {"path_args": (), "path_kwargs": named_groups(match)}
        return {"path_args": plain_groups(match), "path_kwargs": {}}

    def reverse(self, *args: Any) -> str:
        """The path of this route with `args` in its groups.

        Raises:
            ValueError: The pattern cannot be reversed, or takes another number of arguments.
        """
        parts = reversible_parts(self.pattern)
        if parts is None:
            raise ValueError(f"route {self.pattern!r} cannot be reversed")
        if len(args) != len(parts) - 1:
            raise ValueError(
                f"route {self.pattern!r} takes {len(parts) - 1} arguments, not {len(args)}"
            )
        path = parts[0]
        for part, arg in zip(parts[1:], args, strict=True):
            text = arg if isinstance(arg, bytes) else str(arg)
            path += quote(text, safe="/!$&'()*,;=:@~") + part
        return path


class Rule:
    """A matcher, and what serves the requests that it matches.

    Args:
        matcher: Whether the rule is for a request.
        target: A `RequestHandler` subclass, a function, an application or another router, or a
            list of rules.
        target_kwargs: Keyword arguments for the target's `initialize`.
        name: For `reverse_url`.
    """

    def __init__(
        self,
        matcher: Matcher,
        target: Any,
        target_kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        self.matcher = matcher
        self.target = target
        self.target_kwargs = target_kwargs or {}
        self.name = name

    def reverse(self, *args: Any) -> str | None:
        """The path of this rule with `args` in its groups; errors as for `PathMatches`."""
        return self.matcher.reverse(*args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.matcher!r}, {self.target!r}, name={self.name!r})"


class URLSpec(Rule):
    """A route: a pattern, what handles it, and a name.

    Args:
        pattern: A regular expression for the whole path; its groups become arguments of the
            handler, named groups keyword arguments.
        handler: A `RequestHandler` subclass, a function, or any other target of a `Rule`.
        kwargs: Keyword arguments for the handler's `initialize`.
        name: For `reverse_url`.

    Raises:
        ValueError: Named and unnamed groups are mixed, or the expression is malformed.
    """

    def __init__(
        self,
        pattern: str | re.Pattern[str],
        handler: Any,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        matcher = PathMatches(pattern)
        super().__init__(matcher, handler, kwargs, name)
        self.regex = matcher.regex
        self.pattern = matcher.pattern
        self.handler_class = handler
        self.kwargs = self.target_kwargs

    def __repr__(self) -> str:
        return f"URLSpec({self.pattern!r}, {self.target!r}, name={self.name!r})"


url = URLSpec


def from_tuple(rule: Any) -> Rule:
    """A rule from any of the tuples in use.

    Raises:
        TypeError: It is none of them.
    """
    if isinstance(rule, Rule):
        return rule
    if isinstance(rule, tuple | list) and 2 <= len(rule) <= 4:
        matcher, target, *rest = rule
        if len(rest) == 1 and isinstance(rest[0], str):
            rest = [None, rest[0]]
        if isinstance(matcher, str | re.Pattern):
            return URLSpec(matcher, target, *rest)
        if isinstance(matcher, Matcher):
            return Rule(matcher, target, *rest)
    raise TypeError(
        f"a route is (pattern, handler), with keyword arguments and a name behind, not {rule!r}"
    )


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern):
        return pattern
    return re.compile(pattern if pattern.endswith("$") else f"{pattern}$")


def _unquote(value: str | None) -> Any:
    if value is None or "%" not in value:
        return value
    return unquote_to_bytes(value).decode()


def plain_groups(match: re.Match[str]) -> tuple[str, ...]:
    """A match's groups, percent-decoded.

    Raises:
        UnicodeDecodeError: One is no UTF-8.
    """
    return tuple(map(_unquote, match.groups()))


def named_groups(match: re.Match[str]) -> dict[str, str]:
    """A match's named groups, percent-decoded; those that took no part are left out.

    Raises:
        UnicodeDecodeError: One is no UTF-8.
    """
    groups = match.groupdict().items()
    return {name: _unquote(value) for name, value in groups if value is not None}


def lenient_groups(match: re.Match[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """A match's groups, plain and named; bytes that are no UTF-8 are kept as lone surrogates."""

    def decode(value: str | None) -> Any:
        if value is None:
            return None
        return unquote_to_bytes(value).decode("utf-8", "surrogateescape")

    named = match.groupdict()
    if named:
        return (), {name: decode(value) for name, value in named.items() if value is not None}
    return tuple(map(decode, match.groups())), {}


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
