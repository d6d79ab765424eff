"""Queries added to URLs, and hosts taken apart."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_WITH_PORT: Final = re.compile(r"(.+):([0-9]{1,5})\Z", re.DOTALL)

Arguments = Mapping[str, str] | Sequence[tuple[str, str]]


def url_concat(url: str, args: Arguments | None) -> str:
    """A URL with these arguments behind those that its query has.

    Example:
        >>> url_concat("https://example.com/foo?a=b", [("c", "d"), ("c", "d2")])
        'https://example.com/foo?a=b&c=d&c=d2'

    Args:
        url: Any URL; its fragment stays at the end.
        args: A mapping, or pairs where a name comes several times; None changes nothing.

    Raises:
        TypeError: They are neither.
    """
    if args is None:
        return url
    if not isinstance(args, Mapping | list | tuple):
        raise TypeError(f"arguments are a mapping or pairs, not {type(args).__name__}")
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    pairs += args.items() if isinstance(args, Mapping) else args
    return urlunsplit(parts._replace(query=urlencode(pairs)))


def split_host_and_port(netloc: str) -> tuple[str, int | None]:
    """The host and the port of `host:port`; the port is None where there is none.

    Example:
        >>> split_host_and_port("[::1]:8080")
        ('[::1]', 8080)
    """
    match = _WITH_PORT.match(netloc)
    return (netloc, None) if match is None else (match[1], int(match[2]))


def qs_to_qsl(qs: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    """The pairs of what `parse_qs` gave: each name with each of its values."""
    for name, values in qs.items():
        for value in values:
            yield name, value
