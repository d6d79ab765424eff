"""What a client would rather have: `Accept`, `Accept-Encoding`, `Accept-Language`.

RFC 9110, section 12.5, and RFC 4647 for languages. Reading a field takes time in proportion to
its length, and what is looked at further is bounded by `MAX_CHOICES`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_CHOICES: Final = 100
"""Elements of one field that count; what follows them is left out."""

_ELEMENT: Final = re.compile(r'(?:[^",]++|"(?:[^"\\]++|\\.)*+(?:"|\Z|\\))*+', re.DOTALL)
_PARAMETER: Final = re.compile(
    r"""[ \t]*+;[ \t]*+
        (?:([!#$%&'*+\-.^_`|~0-9A-Za-z]++)[ \t]*+=[ \t]*+
           ([!#$%&'*+\-.^_`|~0-9A-Za-z]++|"(?:[^"\\]++|\\.)*+"))?+""",
    re.VERBOSE | re.DOTALL,
)
_VALUE: Final = re.compile(r"[ \t]*+([!#$%&'*+\-.^_`|~0-9A-Za-z/]++)")
_WEIGHT: Final = re.compile(r"(?:0(?:\.[0-9]{0,9}+)?+|\.[0-9]{1,9}+|1(?:\.0{0,9}+)?+)\Z")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Choice:
    """One element of an `Accept` field.

    Args:
        value: What is named, in lower case.
        weight: 0.0, not wanted, to 1.0.
        parameters: What stands behind it, `q` left out; names in lower case.
    """

    value: str
    weight: float = 1.0
    parameters: tuple[tuple[str, str], ...] = ()


def parse_choices(field: str) -> list[Choice]:
    """The elements of a field with weights, the heaviest first; of equals the earlier first.

    Elements that do not keep to the grammar are left out.

    Example:
        >>> [(c.value, c.weight) for c in parse_choices("en;q=0.5, de, *;q=0")]
        [('de', 1.0), ('en', 0.5), ('*', 0.0)]
    """
    choices: list[Choice] = []
    at, end = 0, len(field)
    for _ in range(MAX_CHOICES):
        element = _ELEMENT.match(field, at)
        if element is None:
            break
        choice = _choice(element[0])
        if choice is not None:
            choices.append(choice)
        at = element.end() + 1
        if at >= end:
            break
    choices.sort(key=lambda choice: -choice.weight)
    return choices


def _choice(element: str) -> Choice | None:
    value = _VALUE.match(element)
    if value is None:
        return None
    at = value.end()
    weight = 1.0
    parameters: list[tuple[str, str]] = []
    while (parameter := _PARAMETER.match(element, at)) is not None:
        at = parameter.end()
        name, text = parameter.groups()
        if name is None:
            continue
        if name in {"q", "Q"}:
            if _WEIGHT.match(text) is None:
                return None
            weight = float(text)
            continue
        if text.startswith('"'):
            text = _ESCAPED.sub(r"\1", text[1:-1])
        parameters.append((name.lower(), text))
    if element[at:].strip(" \t"):
        return None
    return Choice(value[1].lower(), weight, tuple(parameters))


def preferred_encoding(field: str | None, offered: Sequence[str]) -> str | None:
    """The coding to send a body in (RFC 9110, section 12.5.3).

    Args:
        field: The value of `Accept-Encoding`; None when there is none, which is taken for no
            wish for any coding.
        offered: Codings that can be had, the best first; lower case.

    Returns:
        One of `offered`, "identity" for the body as it is, or None when the client excludes
        that as well.

    Example:
        >>> preferred_encoding("gzip, br", ["br", "gzip"])
        'br'
        >>> preferred_encoding("gzip;q=0.5, identity", ["br", "gzip"])
        'identity'
    """
    if field is None:
        return "identity"
    weights: dict[str, float] = {}
    for choice in parse_choices(field):
        weights.setdefault(choice.value, choice.weight)
    if "x-gzip" in weights:
        # Section 8.4.1.3: the old name of the same.
        weights.setdefault("gzip", weights["x-gzip"])
    rest = weights.get("*", 0.0)
    best, heaviest = None, 0.0
    for name in offered:
        weight = weights.get(name, rest)
        if weight > heaviest:
            best, heaviest = name, weight
    identity = weights.get("identity")
    if identity is None:
        if best is not None:
            return best
        return None if weights.get("*") == 0.0 else "identity"
    if identity > heaviest:
        return "identity"
    return best


def preferred_type(field: str | None, offered: Sequence[str]) -> str | None:
    """The media type to answer with (RFC 9110, section 12.5.1).

    For each type that is offered its most exact element counts: one with parameters before
    one without, that before `type/*`, and that before `*/*`.

    Args:
        field: The value of `Accept`; None, or an empty one, takes anything.
        offered: Types that can be had, the best first, with parameters where they have some.

    Returns:
        One of `offered`; None when the client takes none of them.

    Example:
        >>> preferred_type("text/*;q=0.5, application/json", ["text/html", "application/json"])
        'application/json'
    """
    if not offered:
        return None
    if field is None or not field.strip(" \t"):
        return offered[0]
    choices = parse_choices(field)
    best, heaviest = None, 0.0
    for kind in offered:
        weight = _weight_of_type(kind, choices)
        if weight > heaviest:
            best, heaviest = kind, weight
    return best


def _weight_of_type(kind: str, choices: Iterable[Choice]) -> float:
    own = _choice(kind)
    if own is None:
        return 0.0
    family = f"{own.value.partition('/')[0]}/*"
    exactness, weight = -1, 0.0
    for choice in choices:
        if choice.value == own.value:
            if not set(choice.parameters) <= set(own.parameters):
                continue
            rank = 2 + len(choice.parameters)
        elif choice.value == family:
            rank = 1
        elif choice.value in {"*/*", "*"}:
            rank = 0
        else:
            continue
        if rank > exactness:
            exactness, weight = rank, choice.weight
    return weight


def preferred_language(field: str | None, offered: Sequence[str]) -> str | None:
    """The language to answer in (RFC 9110, section 12.5.4; RFC 4647, sections 3.3.1 and 3.4).

    A wish is looked up exactly, then shortened part by part (`de-AT` takes `de`), and then taken
    for a prefix (`de` takes `de-AT`).

    Args:
        field: The value of `Accept-Language`.
        offered: Tags that can be had, the best first; `_` counts as `-`, and case does not
            count.

    Returns:
        One of `offered`; None when there is no wish, or none that can be met.

    Example:
        >>> preferred_language("fr;q=0.9, de-AT", ["en", "de", "fr"])
        'de'
    """
    if field is None:
        return None
    tags = {tag.replace("_", "-").lower(): tag for tag in reversed(offered)}
    choices = parse_choices(field.replace("_", "-"))
    refused = {choice.value for choice in choices if choice.weight == 0.0}
    taken = {
        low: tag for low, tag in reversed(tags.items()) if not refused.intersection(_steps(low))
    }
    for choice in choices:
        if choice.weight == 0.0:
            break
        if choice.value == "*":
            for tag in taken.values():
                return tag
            continue
        for step in _steps(choice.value):
            if step in taken:
                return taken[step]
        prefix = f"{choice.value}-"
        for low, tag in taken.items():
            if low.startswith(prefix):
                return tag
    return None


def _steps(tag: str) -> Iterable[str]:
    """A tag and what is left of it part by part; eight parts at most."""
    parts = tag.split("-", 8)[:8]
    while parts:
        yield "-".join(parts)
        parts.pop()
        if parts and len(parts[-1]) == 1:
            # RFC 4647, section 3.4: a single letter only introduces what follows it.
            parts.pop()
