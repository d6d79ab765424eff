"""Tokens to nodes."""

import re
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from eyewall.web.templates.errors import ParseError
from eyewall.web.templates.lexer import Kind, Token, tokens
from eyewall.web.templates.nodes import (
    Apply,
    Block,
    Body,
    Control,
    Expression,
    File,
    Include,
    Middle,
    Node,
    Statement,
    Text,
)
from eyewall.web.templates.whitespace import MODES

_MIDDLES: Final = {
    "else": frozenset({"if", "for", "while", "try"}),
    "elif": frozenset({"if"}),
    "except": frozenset({"try"}),
    "finally": frozenset({"try"}),
}
_BODIES: Final = frozenset({"if", "for", "while", "try", "apply", "block"})
_NAME: Final = re.compile(r"[A-Za-z_]\w*\Z")
_DEEPEST: Final = 80


class Library(Protocol):
    """Where other templates are found."""

    def parsed(self, name: str, parent: str) -> File:
        """Another template, by its name as the parent says it."""
        ...


class Parser:
    """Parses one template.

    Args:
        text: The template.
        name: Its name, for errors and for finding others.
        library: Where others are found; None where there are none.
        autoescape: The function for expressions, where the template does not say.
        whitespace: The mode, where the template does not say.
    """

    def __init__(
        self,
        text: str,
        name: str,
        *,
        library: Library | None,
        autoescape: str | None,
        whitespace: str,
    ) -> None:
        self._tokens = tokens(text, name)
        self._name = name
        self._library = library
        self._whitespace = whitespace
        self._file = File(name, Body(1), None, autoescape)

    def parse(self) -> File:
        """The template's parts.

        Raises:
            ParseError: It cannot be understood.
        """
        self._file.body = self._body(None, 1, ())
        return self._file

    def _fail(self, message: str, line: int) -> NoReturn:
        raise ParseError(message, self._name, line)

    def _body(self, opener: str | None, line: int, around: tuple[str, ...]) -> Body:
        body = Body(line)
        for token in self._tokens:
            if token.kind is Kind.TEXT:
                body.parts.append(Text(token.line, token.text, self._whitespace))
            elif token.kind is Kind.EXPRESSION:
                body.parts.append(Expression(token.line, token.text))
            else:
                operator, _, suffix = token.text.partition(" ")
                operator, rest = _split(operator, suffix)
                if operator == "end":
                    if opener is None:
                        self._fail("Extra {% end %} block", token.line)
                    return body
                if operator in _MIDDLES:
                    if opener not in _MIDDLES[operator]:
                        allowed = ", ".join(sorted(_MIDDLES[operator]))
                        self._fail(f"{operator} stands outside of {allowed}", token.line)
                    body.parts.append(Middle(token.line, token.text))
                    continue
                node = self._tag(operator, rest, token, around)
                if node is not None:
                    body.parts.append(node)
        if opener is not None:
            self._fail(f"Missing {{% end %}} for the {opener} of line {line}", line)
        return body

    def _tag(self, operator: str, rest: str, token: Token, around: tuple[str, ...]) -> Node | None:
        if operator in _BODIES:
            return self._with_body(operator, rest, token, around)
        if operator in {"break", "continue"}:
            if not {"for", "while"} & set(_inside_function(around)):
                self._fail(f"{operator} stands outside of for, while", token.line)
            return Statement(token.line, operator)
        make = _TAGS.get(operator)
        if make is None:
            self._fail(f"unknown operator: {operator[:40]!r}", token.line)
        return make(self, rest, token)

    def _with_body(self, operator: str, rest: str, token: Token, around: tuple[str, ...]) -> Node:
        if len(around) >= _DEEPEST:
            self._fail("Nested too deeply", token.line)
        if operator != "try" and not rest:
            what = {"apply": "a function", "block": "a name"}.get(operator, "an expression")
            self._fail(f"{operator} needs {what}", token.line)
        body = self._body(operator, token.line, (*around, operator))
        if operator == "apply":
            return Apply(token.line, rest, body)
        if operator == "block":
            return Block(token.line, rest, body, self._file)
        return Control(token.line, token.text, body)

    def _extends(self, rest: str, token: Token) -> None:
        self._file.extends = self._other(rest, "extends", token)

    def _include(self, rest: str, token: Token) -> Node:
        return Include(token.line, rest, self._other(rest, "include", token))

    def _other(self, rest: str, operator: str, token: Token) -> File:
        name = rest.strip("\"'").strip()
        if not name:
            self._fail(f"{operator} needs the name of a template", token.line)
        if self._library is None:
            self._fail(f"{operator} needs a loader", token.line)
        return self._library.parsed(name, self._name)

    def _set(self, rest: str, token: Token) -> Node:
        if not rest:
            self._fail("set needs a statement", token.line)
        return Statement(token.line, rest)

    def _import(self, rest: str, token: Token) -> Node:
        if not rest:
            self._fail("import needs a name", token.line)
        return Statement(token.line, token.text)

    def _autoescape(self, rest: str, token: Token) -> None:
        if not rest:
            self._fail("autoescape needs a function, or None", token.line)
        self._file.autoescape = None if rest == "None" else rest

    def _set_whitespace(self, rest: str, token: Token) -> None:
        if rest not in MODES:
            self._fail(f"whitespace is one of {', '.join(MODES)}, not {rest[:40]!r}", token.line)
        self._whitespace = rest

    def _raw(self, rest: str, token: Token) -> Node:
        return Expression(token.line, rest, raw=True)

    def _module(self, rest: str, token: Token) -> Node:
        return Expression(token.line, f"_tt_modules.{rest}", raw=True)

    def _comment(self, _rest: str, _token: Token) -> None:
        """Nothing comes of it."""


_TAGS: Final[dict[str, Callable[[Parser, str, Token], Node | None]]] = {
    "extends": Parser._extends,
    "include": Parser._include,
    "set": Parser._set,
    "import": Parser._import,
    "from": Parser._import,
    "autoescape": Parser._autoescape,
    "whitespace": Parser._set_whitespace,
    "raw": Parser._raw,
    "module": Parser._module,
    "comment": Parser._comment,
}


def _split(operator: str, suffix: str) -> tuple[str, str]:
    """The operator, and what follows it after any white space."""
    match = re.match(r"\s", operator) or re.search(r"\s", operator)
    if match is not None:
        return operator[: match.start()], f"{operator[match.end() :]} {suffix}".strip()
    return operator, suffix.strip()


def _inside_function(around: tuple[str, ...]) -> tuple[str, ...]:
    """The tags around, up to a function: what stands there cannot be left from within."""
    for at in range(len(around) - 1, -1, -1):
        if around[at] == "apply":
            return around[at + 1 :]
    return around
