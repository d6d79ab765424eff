"""Entity tags and conditional requests (RFC 9110, section 13)."""

import datetime
import enum
import re
from collections.abc import Callable
from typing import Final

from eyewall.http.dates import parse_date

_TAG: Final = re.compile(r'\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|\Z)')
_MOST: Final = 100


class Outcome(enum.Enum):
    """What a conditional request's answer is."""

    PROCEED = 200
    NOT_MODIFIED = 304
    FAILED = 412


def parse_tags(field: str) -> list[str] | None:
    """The tags of an `If-Match` or `If-None-Match` field; None for "*".

    What is no tag ends the list, and of very many the first hundred count.
    """
    if field.strip() == "*":
        return None
    tags: list[str] = []
    at = 0
    while len(tags) < _MOST and (match := _TAG.match(field, at)) is not None:
        tags.append((match[1] or "") + match[2])
        at = match.end()
    return tags


def matches_weakly(field: str, tag: str) -> bool:
    """Whether one of the tags means the same content as `tag` (section 8.8.3.2)."""
    tags = parse_tags(field)
    bare = tag.removeprefix("W/")
    return tags is None or any(each.removeprefix("W/") == bare for each in tags)


def matches_strongly(field: str, tag: str) -> bool:
    """Whether one of the tags means the same bytes as `tag`."""
    tags = parse_tags(field)
    return tags is None or (not tag.startswith("W/") and tag in tags)


def evaluate(
    method: str,
    header: Callable[[str], str | None],
    tag: str | None,
    modified: datetime.datetime | None,
) -> Outcome:
    """What becomes of a request with conditions, in the order of section 13.2.2.

    Args:
        method: The request's method.
        header: Gives a request's field by its name.
        tag: The representation's tag.
        modified: When it was changed last, with a zone, in whole seconds.
    """
    reads = method in {"GET", "HEAD"}
    if (field := header("If-Match")) is not None:
        if tag is None or not matches_strongly(field, tag):
            return Outcome.FAILED
    elif (field := header("If-Unmodified-Since")) is not None:
        since = parse_date(field)
        if since is not None and modified is not None and modified > since:
            return Outcome.FAILED
    if (field := header("If-None-Match")) is not None:
        if tag is not None and matches_weakly(field, tag):
            return Outcome.NOT_MODIFIED if reads else Outcome.FAILED
    elif reads and (field := header("If-Modified-Since")) is not None:
        since = parse_date(field)
        if since is not None and modified is not None and modified <= since:
            return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def range_applies(field: str | None, tag: str | None, modified: datetime.datetime | None) -> bool:
    """Whether a `Range` counts, by the `If-Range` field (section 13.1.5)."""
    if field is None:
        return True
    field = field.strip()
    if field.startswith(('"', "W/")):
        return tag is not None and not tag.startswith("W/") and field == tag
    since = parse_date(field)
    return since is not None and modified is not None and modified == since
