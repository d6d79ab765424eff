"""Families in Prometheus' text form.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from eyewall.base.stats import Family

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9_:]")


def render(families: Iterable[Family]) -> str:
    """All families as text, in order of their names."""
    lines: list[str] = []
    for family in sorted(families, key=lambda each: each.name):
        name = _name(family.name)
        text = family.help.replace("\\", r"\\").replace("\n", r"\n")
        lines.append(f"# HELP {name} {text}")
        lines.append(f"# TYPE {name} {family.kind}")
        for values, value in sorted(family.series.items()):
            if family.kind == "histogram":
                lines.extend(_histogram(name, family, values, value))
            else:
                lines.append(f"{name}{_labels(family.labels, values)} {_number(value)}")
    return "\n".join([*lines, ""])


def _histogram(
    name: str, family: Family, values: tuple[str, ...], value: Sequence[float]
) -> Iterator[str]:
    *counts, total = value
    names = (*family.labels, "le")
    so_far: float = 0
    for bound, count in zip((*family.bounds, math.inf), counts, strict=True):
        so_far += count
        yield f"{name}_bucket{_labels(names, (*values, _number(bound)))} {_number(so_far)}"
    yield f"{name}_sum{_labels(family.labels, values)} {_number(total)}"
    yield f"{name}_count{_labels(family.labels, values)} {_number(so_far)}"


def _name(text: str) -> str:
    name = _NOT_IN_NAME.sub("_", text)
    return f"_{name}" if name[:1].isdigit() else name


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (f'{_name(n)}="{_value(v)}"' for n, v in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _value(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: Any) -> str:
    number = float(value)
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
