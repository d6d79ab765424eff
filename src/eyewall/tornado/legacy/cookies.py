"""`Cookie` headers taken apart as Tornado does it: the last of a name counts."""

import re
from typing import Final

_ESCAPE: Final = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)


def parse_cookie(cookie: str) -> dict[str, str]:
    """The names and values of a `Cookie` field.

    A piece without "=" is the value of the name "". Quoted values lose their quotes.
    """
    found: dict[str, str] = {}
    for piece in cookie.split(";"):
        name, equals, value = piece.partition("=")
        if not equals:
            name, value = "", piece
        name, value = name.strip(), value.strip()
        if name or value:
            found[name] = unquote_cookie(value)
    return found


def unquote_cookie(value: str) -> str:
    """A value without the quotes around it and the escapes within; others as they are."""
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value

    def plain(match: re.Match[str]) -> str:
        return chr(int(match[1], 8)) if match[1] else match[2]

    return _ESCAPE.sub(plain, value[1:-1])
