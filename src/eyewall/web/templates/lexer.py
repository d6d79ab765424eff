"""A template's text as tokens: text, expressions and tags, each with its line."""

import enum
from collections.abc import Iterator
from typing import Final, NamedTuple

from eyewall.web.templates.errors import ParseError


class Kind(enum.Enum):
    """What a token is."""

    TEXT = "text"
    EXPRESSION = "expression"
    TAG = "tag"


class Token(NamedTuple):
    """A piece of a template."""

    kind: Kind
    text: str
    line: int


_CLOSING: Final = {"{": "}}", "%": "%}", "#": "#}"}
_CALLED: Final = {"{": "expression", "%": "block", "#": "comment"}


def tokens(text: str, name: str) -> Iterator[Token]:
    """The tokens of a template, in order; every character is looked at once.

    `{{!`, `{%!` and `{#!` stand for themselves without the "!".

    Raises:
        ParseError: Something is not closed.
    """
    at, line = 0, 1
    pending = ""
    while True:
        start = _opening(text, at)
        if start < 0:
            pending += text[at:]
            if pending:
                yield Token(Kind.TEXT, pending, line)
            return
        pending += text[at:start]
        opener = text[start + 1]
        if text[start + 2 : start + 3] == "!":
            pending += text[start : start + 2]
            at = start + 3
            continue
        if pending:
            yield Token(Kind.TEXT, pending, line)
        # What was escaped has no line ends, so the text's own are all that count.
        line += pending.count("\n")
        pending = ""
        end = text.find(_CLOSING[opener], start + 2)
        if end < 0:
            raise ParseError(f"Missing end {_CALLED[opener]} {_CLOSING[opener]}", name, line)
        inner = text[start + 2 : end]
        if opener != "#":
            kind = Kind.EXPRESSION if opener == "{" else Kind.TAG
            stripped = inner.strip()
            if not stripped:
                what = "expression" if opener == "{" else "block tag ({% %})"
                raise ParseError(f"Empty {what}", name, line)
            yield Token(kind, stripped, line)
        line += inner.count("\n")
        at = end + 2


def _opening(text: str, at: int) -> int:
    """Where the next thing opens; of more than two braces the innermost count."""
    while True:
        start = text.find("{", at)
        if start < 0 or start + 1 >= len(text):
            return -1
        following = text[start + 1]
        if following == "{" and text[start + 2 : start + 3] == "{":
            at = start + 1
            continue
        if following in _CLOSING:
            return start
        at = start + 1
