"""The wire format of the dispatch: keys, and frames as entries of Redis streams.

docs/reference/dispatch-protocol.md describes it for those who write a worker in another language.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from eyewall.base.errors import EyewallError

GROUP: Final = "workers"
PIECE: Final = 64 * 1024
"""Bytes of a body in one frame, at most."""
WINDOW: Final = 1024 * 1024
"""Bytes of one body that may be on their way, one direction, before the receiver has made room."""
WHOLE: Final = 256 * 1024
"""A body up to this size travels with its head."""
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110, section 9.2.2."""

Fields = Mapping[bytes, bytes]


class FrameError(EyewallError):
    """What came is no frame; the message says why."""


@final
@dataclass(frozen=True, slots=True)
class Keys:
    """The names of everything in Redis.

    Attributes:
        name: What they begin with; fronts and workers of one program share it.
    """

    name: str = "eyewall"

    @property
    def requests(self) -> str:
        """The stream of requests."""
        return f"{self.name}:requests"

    @property
    def alive(self) -> str:
        """A hash that counts the beats of each front and worker."""
        return f"{self.name}:alive"

    @property
    def sent(self) -> str:
        """A hash with the number of the last request that each front has put on the stream."""
        return f"{self.name}:sent"

    @property
    def counts(self) -> str:
        """A hash of what was lost and repeated."""
        return f"{self.name}:counts"

    def inbox(self, who: str) -> str:
        """The stream of frames to one front or worker."""
        return f"{self.name}:inbox:{who}"


@final
@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request.

    Attributes:
        method: Its method.
        target: The request target as sent.
        version: "HTTP/1.1" and the like.
        scheme: "http" or "https".
        host: Whom it is for.
        remote_ip: The client's address.
        headers: All fields in order.
        length: Bytes of the body as announced; None when that is not known.
        body: "none", "whole" (in the same entry) or "pieces" (by frames).
    """

    method: str
    target: str
    version: str
    scheme: str
    host: str
    remote_ip: str
    headers: list[tuple[str, str]]
    length: int | None
    body: str

    def encode(self) -> bytes:
        """As JSON."""
        return json.dumps(
            {name: getattr(self, name) for name in self.__slots__}, separators=(",", ":")
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Head":
        """From JSON.

        Raises:
            FrameError: It is not such a head.
        """
        found = _object(data)
        try:
            texts = [found[name] for name in _TEXTS]
            length, body = found["length"], found["body"]
            headers = _pairs(found["headers"])
        except KeyError as exc:
            raise FrameError(f"a head without {exc}") from exc
        if not all(isinstance(text, str) for text in texts) or body not in _BODIES:
            raise FrameError("a head with values of the wrong type")
        if length is not None and (not isinstance(length, int) or length < 0):
            raise FrameError("a length that is none")
        method, target, version, scheme, host, remote_ip = texts
        return cls(method, target, version, scheme, host, remote_ip, headers, length, body)


_TEXTS: Final = ("method", "target", "version", "scheme", "host", "remote_ip")
_BODIES: Final = frozenset({"none", "whole", "pieces"})


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """What a front and a worker tell each other about one request.

    Attributes:
        kind: What it is; docs/reference/dispatch-protocol.md has the list.
        request: The request's id.
        sender: Who says it.
        number: Counts the frames of one sender about one request, from 1.
        data: Bytes, where the kind has some.
        more: A JSON object, where the kind has one.
    """

    kind: str
    request: str
    sender: str
    number: int
    data: bytes = b""
    more: Mapping[str, Any] | None = None

    def encode(self) -> dict[str, bytes | str | int]:
        """As the fields of a stream's entry."""
        fields: dict[str, bytes | str | int] = {
            "k": self.kind,
            "r": self.request,
            "w": self.sender,
            "n": self.number,
        }
        if self.data:
            fields["d"] = self.data
        if self.more is not None:
            fields["h"] = json.dumps(self.more, separators=(",", ":"))
        return fields

    @classmethod
    def decode(cls, fields: Fields) -> "Frame":
        """From the fields of a stream's entry.

        Raises:
            FrameError: They are none of a frame.
        """
        try:
            kind, request, sender = (fields[name].decode() for name in (b"k", b"r", b"w"))
            number = int(fields[b"n"])
        except (KeyError, ValueError) as exc:
            raise FrameError(f"an entry that is no frame: {exc}") from exc
        more = _object(fields[b"h"]) if b"h" in fields else None
        return cls(kind, request, sender, number, fields.get(b"d", b""), more)


@final
@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status, reason and header fields of an answer."""

    status: int
    reason: str | None
    headers: list[tuple[str, str]]

    def more(self) -> dict[str, Any]:
        """As a frame's object."""
        return {"status": self.status, "reason": self.reason, "headers": self.headers}

    @classmethod
    def of(cls, more: Mapping[str, Any] | None) -> "AnswerHead":
        """From a frame's object.

        Raises:
            FrameError: It is not such a head.
        """
        found = more or {}
        status, reason = found.get("status"), found.get("reason")
        if not isinstance(status, int) or not 100 <= status <= 599:
            raise FrameError("an answer without a status")
        if reason is not None and not isinstance(reason, str):
            raise FrameError("a reason that is no text")
        return cls(status, reason, _pairs(found.get("headers", [])))


def field_pairs(headers: Any) -> list[tuple[str, str]]:
    """Header fields as texts.

    Raises:
        ValueError: One could split the answer.
    """
    items: Any = headers.items() if isinstance(headers, Mapping) else headers
    pairs = [(_text(name), _text(value)) for name, value in items]
    for pair in pairs:
        if any(char in part for part in pair for char in "\r\n\0"):
            raise ValueError(f"the field {pair[0]!r} has a character that no field may have")
    return pairs


def _text(part: str | bytes) -> str:
    return part if isinstance(part, str) else part.decode("latin-1")


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise FrameError(f"not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise FrameError("not a JSON object")
    return found


def _pairs(found: Any) -> list[tuple[str, str]]:
    if not isinstance(found, list):
        raise FrameError("header fields that are no list")
    pairs: list[tuple[str, str]] = []
    for pair in found:
        if (
            not isinstance(pair, list | tuple)
            or len(pair) != 2
            or not all(isinstance(part, str) for part in pair)
        ):
            raise FrameError("a header field that is no pair of texts")
        pairs.append((pair[0], pair[1]))
    return pairs
