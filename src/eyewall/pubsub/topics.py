"""Topics, patterns of topics, and the tree that finds a topic's subscribers.

A topic is a path: "rooms/7/messages". In a pattern, "*" stands for one segment, and "**", at the
end only, for any number of segments, none included. Topics that begin with "$" are the hub's own;
a pattern meets them only when it begins with the same segment.
"""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

LONGEST_BYTES: Final = 255
MOST_SEGMENTS: Final = 32
_MOST_CACHED: Final = 4096


def check_topic(topic: str) -> str:
    """Return the topic when it is one.

    Raises:
        ValueError: It is empty, longer than 255 bytes or 32 segments, has an empty segment,
            control characters or a wildcard.
    """
    _check(topic)
    if "*" in topic:
        raise ValueError(f"{topic!r} is a pattern; a message is published to one topic")
    return topic


def check_pattern(pattern: str) -> str:
    """Return the pattern when it is one; a topic is a pattern too.

    Raises:
        ValueError: As for `check_topic`, or a wildcard that is not a whole segment, or a "**"
            that is not the last one.
    """
    segments = _check(pattern)
    if "*" in pattern:
        for number, segment in enumerate(segments, 1):
            if segment == "**" and number < len(segments):
                raise ValueError(f"in the pattern {pattern!r}, ** must be the last segment")
            if "*" in segment and segment not in {"*", "**"}:
                raise ValueError(f"in the pattern {pattern!r}, * must be a whole segment")
    return pattern


def _check(topic: str) -> list[str]:
    if not topic:
        raise ValueError("a topic has at least one character")
    # Counting characters first keeps the cost of a giant one small.
    if len(topic) > LONGEST_BYTES or len(topic.encode("utf-8", "surrogatepass")) > LONGEST_BYTES:
        raise ValueError(f"a topic has at most {LONGEST_BYTES} bytes; this has more")
    if not topic.isprintable():
        raise ValueError(f"the topic {topic!r} has characters that cannot be printed")
    segments = topic.split("/")
    if "" in segments:
        raise ValueError(f"the topic {topic!r} has an empty segment")
    if len(segments) > MOST_SEGMENTS:
        raise ValueError(f"a topic has at most {MOST_SEGMENTS} segments; {topic!r} has more")
    return segments


def is_pattern(topic: str) -> bool:
    """Whether it has wildcards."""
    return "*" in topic


def matches(pattern: str, topic: str) -> bool:
    """Whether the pattern stands for this topic."""
    return pattern == topic or ("*" in pattern and covers(pattern, topic))


def covers(pattern: str, other: str) -> bool:
    """Whether the pattern stands for every topic that the other one (or topic) stands for."""
    wide, narrow = pattern.split("/"), other.split("/")
    if "*" in wide[0] and narrow[0].startswith("$"):
        return False
    if narrow == ["**"]:
        # A topic has at least one segment.
        narrow = ["*", "**"]
    if wide[-1] == "**":
        wide.pop()
        if len(narrow) - (narrow[-1] == "**") < len(wide):
            return False
        narrow = narrow[: len(wide)]
    elif len(wide) != len(narrow) or narrow[-1] == "**":
        return False
    return all(w == n or (w == "*" and n != "**") for w, n in zip(wide, narrow, strict=True))


def overlaps(one: str, other: str) -> bool:
    """Whether some topic is meant by both patterns."""
    a, b = one.split("/"), other.split("/")
    if a[0].startswith("$") != b[0].startswith("$"):
        return False
    open_a, open_b = a[-1] == "**", b[-1] == "**"
    a, b = (a[:-1] if open_a else a), (b[:-1] if open_b else b)
    if (len(a) < len(b) and not open_a) or (len(b) < len(a) and not open_b):
        return False
    return all(x == y or "*" in {x, y} for x, y in zip(a, b, strict=False))


class _Node(Generic[T]):
    __slots__ = ("below", "here", "open")

    def __init__(self) -> None:
        self.below: dict[str, _Node[T]] = {}
        self.here: T | None = None
        self.open: T | None = None

    def is_empty(self) -> bool:
        return not self.below and self.here is None and self.open is None


class TopicTree(Generic[T]):
    """Values by pattern; finds those whose pattern stands for a topic.

    Plain topics are one look-up. Patterns are found along the topic's segments, at most two
    branches each; what was found is remembered for the topics used last.
    """

    __slots__ = ("_cache", "_plain", "_root", "_wild")

    def __init__(self) -> None:
        self._plain: dict[str, T] = {}
        self._root: _Node[T] = _Node()
        self._wild = 0
        self._cache: dict[str, tuple[T, ...]] = {}

    def __len__(self) -> int:
        return len(self._plain) + self._wild

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """All patterns with their values."""
        yield from self._plain.items()
        stack: list[tuple[list[str], _Node[T]]] = [([], self._root)]
        while stack:
            path, node = stack.pop()
            if node.here is not None:
                yield "/".join(path), node.here
            if node.open is not None:
                yield "/".join([*path, "**"]), node.open
            stack.extend(([*path, name], below) for name, below in node.below.items())

    def get(self, pattern: str) -> T | None:
        """The value of exactly this pattern."""
        if "*" not in pattern:
            return self._plain.get(pattern)
        node = self._root
        segments = pattern.split("/")
        is_open = segments[-1] == "**"
        for segment in segments[: len(segments) - is_open]:
            below = node.below.get(segment)
            if below is None:
                return None
            node = below
        return node.open if is_open else node.here

    def set(self, pattern: str, value: T) -> None:
        """Give a pattern a value; it replaces an older one."""
        if "*" not in pattern:
            self._plain[pattern] = value
            self._cache.pop(pattern, None)
            return
        node = self._root
        segments = pattern.split("/")
        is_open = segments[-1] == "**"
        for segment in segments[: len(segments) - is_open]:
            node = node.below.setdefault(segment, _Node())
        if (node.open if is_open else node.here) is None:
            self._wild += 1
        if is_open:
            node.open = value
        else:
            node.here = value
        self._cache.clear()

    def remove(self, pattern: str) -> None:
        """Forget a pattern; nothing happens when it is unknown."""
        if "*" not in pattern:
            self._plain.pop(pattern, None)
            self._cache.pop(pattern, None)
            return
        segments = pattern.split("/")
        is_open = segments[-1] == "**"
        way: list[tuple[_Node[T], str]] = []
        node = self._root
        for segment in segments[: len(segments) - is_open]:
            below = node.below.get(segment)
            if below is None:
                return
            way.append((node, segment))
            node = below
        if (node.open if is_open else node.here) is None:
            return
        if is_open:
            node.open = None
        else:
            node.here = None
        self._wild -= 1
        self._cache.clear()
        for parent, segment in reversed(way):
            if not parent.below[segment].is_empty():
                break
            del parent.below[segment]

    def match(self, topic: str) -> tuple[T, ...]:
        """The values of all patterns that stand for this topic."""
        found = self._cache.get(topic)
        if found is None:
            found = self._find(topic)
            if len(self._cache) >= _MOST_CACHED:
                self._cache.clear()
            self._cache[topic] = found
        return found

    def _find(self, topic: str) -> tuple[T, ...]:
        found: list[T] = []
        plain = self._plain.get(topic)
        if plain is not None:
            found.append(plain)
        if not self._wild:
            return tuple(found)
        nodes = [self._root]
        own = topic.startswith("$")
        for number, segment in enumerate(topic.split("/")):
            hidden = own and number == 0
            after: list[_Node[T]] = []
            for node in nodes:
                if node.open is not None and not hidden:
                    found.append(node.open)
                if segment in node.below:
                    after.append(node.below[segment])
                if "*" in node.below and not hidden:
                    after.append(node.below["*"])
            nodes = after
        for node in nodes:
            found.extend(value for value in (node.open, node.here) if value is not None)
        return tuple(found)
