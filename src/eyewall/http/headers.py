"""`HTTPHeaders`: header fields by name, in any case, with several values where there are."""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final

from eyewall.http.errors import HTTPInputError

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=1024)
def normalize_name(name: str) -> str:
    """The usual spelling of a header's name: `content-TYPE` becomes `Content-Type`."""
    return "-".join(part.capitalize() for part in name.split("-"))


def check_name(name: str) -> None:
    """Raise HTTPInputError unless `name` is a token (RFC 9110, section 5.1)."""
    if _TOKEN.match(name) is None:
        raise HTTPInputError(f"{name!r} cannot be a header name")


def check_value(value: str) -> None:
    """Raise HTTPInputError when `value` could end its line (RFC 9110, section 5.5)."""
    if _CONTROL.search(value) is not None:
        raise HTTPInputError(f"Unsafe header value {value!r}: it has control characters")


class HTTPHeaders(MutableMapping[str, str]):
    """A mapping of names to values that keeps several values of one name apart.

    Reading a name with several values gives them joined by ",". Names are normalised, so any
    case finds them.

    Example:
        >>> headers = HTTPHeaders({"content-type": "text/html"})
        >>> headers.add("Set-Cookie", "a=b")
        >>> headers.add("Set-Cookie", "c=d")
        >>> headers.get_list("set-cookie")
        ['a=b', 'c=d']

    Args:
        fields: A mapping, in which a list stands for several values, or pairs.
        more: Further fields.
    """

    __slots__ = ("_values",)

    def __init__(
        self,
        fields: Mapping[str, str] | Mapping[str, list[str]] | Iterable[tuple[str, str]] = (),
        /,
        **more: str,
    ) -> None:
        self._values: dict[str, list[str]] = {}
        pairs: Any = fields.items() if isinstance(fields, Mapping) else fields
        for name, value in pairs:
            for one in value if isinstance(value, list) else (value,):
                self.add(name, one)
        for name, value in more.items():
            self.add(name, value)

    @classmethod
    def from_wire(cls, fields: Iterable[tuple[str, str]]) -> "HTTPHeaders":
        """Headers that a server has checked already."""
        headers = cls()
        values = headers._values
        for name, value in fields:
            values.setdefault(normalize_name(name), []).append(value)
        return headers

    @classmethod
    def parse(cls, headers: str) -> "HTTPHeaders":
        """Headers from their lines, which may end with CRLF or with LF alone.

        Raises:
            HTTPInputError: A line is malformed or continued (RFC 9112, section 5.2).
        """
        parsed = cls()
        for line in headers.split("\n"):
            parsed.parse_line(line)
        return parsed

    def parse_line(self, line: str) -> None:
        """Add the field of one line; an empty line is none.

        Raises:
            HTTPInputError: It is malformed or continues the one before it.
        """
        line = line.removesuffix("\n").removesuffix("\r")
        if not line:
            return
        if line[0] in " \t":
            raise HTTPInputError("a header line continues the one before it")
        name, colon, value = line.partition(":")
        if not colon:
            raise HTTPInputError("a header line has no colon")
        self.add(name, value.strip(" \t"))

    def add(self, name: str, value: str | bytes) -> None:
        """Add a value, beside those that the name has.

        Args:
            name: A token.
            value: Text, or bytes, of which each stands for a character.

        Raises:
            HTTPInputError: The name or the value cannot be sent.
        """
        check_name(name)
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        check_value(value)
        self._values.setdefault(normalize_name(name), []).append(value)

    def get_list(self, name: str) -> list[str]:
        """All values of a name."""
        return list(self._values.get(normalize_name(name), ()))

    def get_all(self) -> Iterator[tuple[str, str]]:
        """All pairs; a name with several values comes several times."""
        for name, values in self._values.items():
            for value in values:
                yield name, value

    def __setitem__(self, name: str, value: str | bytes) -> None:
        check_name(name)
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        check_value(value)
        self._values[normalize_name(name)] = [value]

    def __getitem__(self, name: str) -> str:
        return ",".join(self._values[normalize_name(name)])

    def __delitem__(self, name: str) -> None:
        del self._values[normalize_name(name)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and normalize_name(name) in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def copy(self) -> "HTTPHeaders":
        """Headers with the same fields, independent of these."""
        other = HTTPHeaders()
        other._values = {name: list(values) for name, values in self._values.items()}
        return other

    __copy__ = copy

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\n" for name, value in self.get_all())

    def __repr__(self) -> str:
        return f"HTTPHeaders({list(self.get_all())!r})"
