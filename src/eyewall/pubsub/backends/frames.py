"""What processes and the local hub say to each other: MessagePack behind a length. Sans I/O."""

import struct
from typing import Final, final

import msgspec

from eyewall.pubsub.message import Page, Record

LONGEST: Final = 64 * 1024 * 1024
_HEAD: Final = struct.Struct(">I")


class Hello(msgspec.Struct, tag="hello", array_like=True, gc=False):
    """The first word of a process: who it is, and what it heard last."""

    client: str
    epoch: str
    seq: int


class Publish(msgspec.Struct, tag="publish", array_like=True, gc=False):
    """Add a message; `n` grows by one with each of a client."""

    n: int
    topic: str
    body: bytes
    key: str | None
    count: int
    age_s: float


class Read(msgspec.Struct, tag="read", array_like=True):
    """Ask what is kept."""

    n: int
    patterns: list[str]
    after: int
    limit: int


class Welcome(msgspec.Struct, tag="welcome", array_like=True):
    """The answer to `Hello`: what was missed, or None when it is not all there."""

    epoch: str
    top: int
    missed: list[Record] | None


class Added(msgspec.Struct, tag="added", array_like=True):
    """New messages."""

    records: list[Record]


class Kept(msgspec.Struct, tag="kept", array_like=True, gc=False):
    """A client's message is in the log."""

    n: int
    seq: int


class Answer(msgspec.Struct, tag="answer", array_like=True):
    """What is kept."""

    n: int
    page: Page


Request = Hello | Publish | Read
Reply = Welcome | Added | Kept | Answer

_encoder: Final = msgspec.msgpack.Encoder()


class FrameError(Exception):
    """The other side sent something that is no frame."""


def frame(message: Request | Reply) -> bytes:
    """A message as bytes."""
    body = _encoder.encode(message)
    return _HEAD.pack(len(body)) + body


@final
class FrameReader:
    """Cuts what arrives into frames.

    Args:
        longest: Most bytes of one frame.
    """

    __slots__ = ("_longest", "_parts", "_size", "_wanted")

    def __init__(self, *, longest: int = LONGEST) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = _HEAD.size
        self._longest = longest

    def feed(self, data: bytes) -> list[memoryview]:
        """Return the frames that are complete now.

        Raises:
            FrameError: One is too long.
        """
        self._parts.append(data)
        self._size += len(data)
        # Joining only when a frame is complete keeps long ones linear.
        if self._size < self._wanted:
            return []
        whole = memoryview(b"".join(self._parts))
        frames: list[memoryview] = []
        start, self._wanted = 0, _HEAD.size
        while len(whole) - start >= _HEAD.size:
            (length,) = _HEAD.unpack_from(whole, start)
            if length > self._longest:
                raise FrameError(f"a frame of {length} bytes; at most {self._longest}")
            end = start + _HEAD.size + length
            if end > len(whole):
                self._wanted = end - start
                break
            frames.append(whole[start + _HEAD.size : end])
            start = end
        rest = bytes(whole[start:])
        self._parts = [rest] if rest else []
        self._size = len(rest)
        return frames
