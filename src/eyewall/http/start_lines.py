"""The first lines of messages (RFC 9112, sections 3 and 4)."""

import re
from typing import Final, NamedTuple

from eyewall.http.errors import HTTPInputError

_REQUEST: Final = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) (HTTP/1\.[0-9])\Z"
)
_RESPONSE: Final = re.compile(r"(HTTP/1\.[0-9]) ([0-9]{3})(?: ([\t \x21-\x7e\x80-\xff]*))?\Z")


class RequestStartLine(NamedTuple):
    """A request's first line."""

    method: str
    path: str
    version: str


class ResponseStartLine(NamedTuple):
    """An answer's first line."""

    version: str
    code: int
    reason: str


def parse_request_start_line(line: str) -> RequestStartLine:
    """The parts of a request's first line.

    Example:
        >>> parse_request_start_line("GET /foo HTTP/1.1")
        RequestStartLine(method='GET', path='/foo', version='HTTP/1.1')

    Raises:
        HTTPInputError: It is malformed.
    """
    match = _REQUEST.match(line)
    if match is None:
        raise HTTPInputError(f"malformed request line {line[:80]!r}")
    return RequestStartLine(*match.groups())


def parse_response_start_line(line: str) -> ResponseStartLine:
    """The parts of an answer's first line.

    Example:
        >>> parse_response_start_line("HTTP/1.1 200 OK")
        ResponseStartLine(version='HTTP/1.1', code=200, reason='OK')

    Raises:
        HTTPInputError: It is malformed.
    """
    match = _RESPONSE.match(line)
    if match is None:
        raise HTTPInputError(f"malformed status line {line[:80]!r}")
    return ResponseStartLine(match[1], int(match[2]), match[3] or "")
