"""All rules of an application in their order.

Rules by path, which most are, go into a tree; a rule of another kind ends the tree, and the
rules behind it begin the next one. So the order that was written decides, and an application
with nothing but paths has one tree.
"""

import re
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from eyewall.http.request import HTTPServerRequest
from eyewall.web.routing.rules import Matcher, named_groups, plain_groups
from eyewall.web.routing.tree import RouteTree

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
_Found: TypeAlias = tuple[R, tuple[str, ...], dict[str, str]]


class Finder(Protocol[R_co]):
    """What a matched rule may lead to instead of a route: more rules, or a router."""

    def find(self, request: HTTPServerRequest, **given: Any) -> _Found[R_co] | None:
        """The route for a request, and the arguments from its path."""
        ...


class RouteTable(Generic[R]):
    """Rules in order."""

    def __init__(self) -> None:
        self._segments: list[RouteTree[R] | tuple[Matcher, R | None, Finder[R] | None]] = []
        self.sole: RouteTree[R] | None = None
        """The only tree, where there is nothing but paths."""

    def add_path(self, regex: re.Pattern[str], route: R) -> None:
        """Add a rule by path."""
        last = self._segments[-1] if self._segments else None
        if not isinstance(last, RouteTree):
            last = RouteTree()
            self._segments.append(last)
        last.add(regex, route)
        self.sole = last if len(self._segments) == 1 else None

    def add(self, matcher: Matcher, route: R | None, finder: Finder[R] | None = None) -> None:
        """Add a rule of another kind, which leads to a route or to a finder."""
        self._segments.append((matcher, route, finder))
        self.sole = None

    def rules(self) -> Iterator[tuple[re.Pattern[str] | Matcher, R | Finder[R] | None]]:
        """All rules in order: a pattern of paths or another matcher, and what it leads to."""
        for segment in self._segments:
            if isinstance(segment, RouteTree):
                yield from segment.routes
            else:
                matcher, route, finder = segment
                yield matcher, route if route is not None else finder

    def find(self, request: HTTPServerRequest, **given: Any) -> _Found[R] | None:
        """The first rule in order that has a route for the request.

        Args:
            request: The request.
            given: What the matchers above have found.

        Raises:
            UnicodeDecodeError: A group of the path is no UTF-8.
        """
        for segment in self._segments:
            if isinstance(segment, RouteTree):
                found = segment.find(request.path)
                if found is None:
                    continue
                route, match, named = found
                if match is None:
                    return route, given.get("path_args", ()), given.get("path_kwargs", {})
                if named:
                    return route, (), named_groups(match)
                return route, plain_groups(match), {}
            matcher, target, finder = segment
            params = matcher.match(request)
            if params is None:
                continue
            params = {**given, **params}
            if target is not None:
                return target, params.get("path_args", ()), params.get("path_kwargs", {})
            if finder is not None:
                inner = finder.find(request, **params)
                if inner is not None:
                    return inner
        return None
