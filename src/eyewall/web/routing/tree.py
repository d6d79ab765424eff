"""Finding a route: exact paths by dictionary, patterns by literal prefix. Hot path.

The order in which routes were written decides. A path's candidates are the exact route of
that path, and the patterns whose literal prefix it begins with; few of many. They are tried
in their order.
"""

import re
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from eyewall.web.routing.patterns import literal_prefix

R = TypeVar("R")
# Order, the pattern's bound `match`, route, whether there are groups, whether they have names.
_Candidate: TypeAlias = tuple[int, Callable[[str], re.Match[str] | None], R, bool, bool]


class RouteTree(Generic[R]):
    """Routes in order, each a pattern and whatever serves it."""

    __slots__ = ("_by_prefix", "_count", "_exact", "_first_pattern", "_lengths", "routes", "sole")

    def __init__(self) -> None:
        self._exact: dict[str, tuple[int, R]] = {}
        # The exact routes before which no pattern was written: they need no search.
        self.sole: dict[str, R] = {}
        self._by_prefix: dict[str, list[_Candidate[R]]] = {}
        self._lengths: tuple[int, ...] = ()
        self._first_pattern: float = float("inf")
        self._count = 0
        self.routes: list[tuple[re.Pattern[str], R]] = []
        """All of them, in order."""

    def add(self, regex: re.Pattern[str], route: R) -> None:
        """Add a route behind those that are there."""
        order = self._count
        self._count += 1
        self.routes.append((regex, route))
        # Flags such as IGNORECASE give letters another meaning.
        is_plain = regex.flags == re.UNICODE
        prefix, whole = literal_prefix(regex.pattern) if is_plain else ("", False)
        if whole:
            self._exact.setdefault(prefix, (order, route))
            if order < self._first_pattern:
                self.sole.setdefault(prefix, route)
            return
        self._first_pattern = min(self._first_pattern, order)
        candidate = (order, regex.match, route, regex.groups > 0, bool(regex.groupindex))
        self._by_prefix.setdefault(prefix, []).append(candidate)
        self._lengths = tuple(sorted({len(known) for known in self._by_prefix}))

    def find(self, path: str) -> tuple[R, re.Match[str] | None, bool] | None:
        """The first route in order that matches, its match, and whether the groups have names.

        The match is None where there are no groups.
        """
        exact = self._exact.get(path)
        limit: float = self._count
        if exact is not None:
            limit = exact[0]
        best: tuple[R, re.Match[str] | None, bool] | None = None
        by_prefix = self._by_prefix
        for length in self._lengths:
            for order, matches, candidate, groups, named in by_prefix.get(path[:length], ()):
                if order >= limit:
                    break
                match = matches(path)
                if match is not None:
                    best = candidate, match if groups else None, named
                    limit = order
                    break
        if best is not None:
            return best
        return None if exact is None else (exact[1], None, False)
