"""Which languages a browser asks for (RFC 9110, section 12.5.4)."""

import re
from typing import Final

_ITEM: Final = re.compile(
    r"\s*([A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}|\*)\s*"
    r"(?:;\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?\Z"
)
MOST: Final = 50
_LONGEST: Final = 4096


def parse_accept_language(field: str) -> list[tuple[str, float]]:
    """The languages of an `Accept-Language` field with their weights, the best first.

    Malformed items are left out, and so are those of weight 0; of very many the first fifty
    count. Never raises.
    """
    found: list[tuple[str, float]] = []
    for item in field[:_LONGEST].split(",", MOST)[:MOST]:
        match = _ITEM.match(item)
        if match is not None:
            weight = float(match[2]) if match[2] else 1.0
            if weight > 0:
                found.append((match[1], weight))
    return sorted(found, key=lambda each: -each[1])
