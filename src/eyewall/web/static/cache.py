"""Small files and versions, kept in memory as long as the files do not change."""

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from collections import OrderedDict
from typing import Final, NamedTuple, final


class Key(NamedTuple):
    """A file's state: another one means another content."""

    path: str
    mtime_ns: int
    size: int
    inode: int


@final
class Bounded:
    """A mapping of file states to bytes that forgets what was used least lately.

    Args:
        most_bytes: How much it holds.
        largest: Bytes of the largest value that it takes.
    """

    def __init__(self, most_bytes: int, largest: int) -> None:
        self._most = most_bytes
        self.largest = largest
        self._held = 0
        self._values: OrderedDict[Key, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> bytes | None:
        """The value of a state."""
        value = self._values.get(key)
        if value is not None:
            # Another thread may just have dropped it; the value is good all the same.
            with contextlib.suppress(KeyError):
                self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: bytes) -> None:
        """Keep a value."""
        if len(value) > self.largest:
            return
        with self._lock:
            old = self._values.pop(key, None)
            self._held += len(value) - (len(old) if old is not None else 0)
            self._values[key] = value
            while self._held > self._most:
                _, dropped = self._values.popitem(last=False)
                self._held -= len(dropped)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._held = 0


@final
class Answer:
    """A whole answer as it was sent, and the state of the file that it came from."""

    __slots__ = ("_inode", "_mtime_ns", "_path", "_size", "_until", "body", "headers")

    def __init__(self, key: Key, headers: dict[str, str], body: bytes) -> None:
        self._path, self._mtime_ns, self._size, self._inode = key
        self.headers = headers
        self.body = body
        self._until = time.monotonic() + ANSWER_S

    def is_current(self) -> bool:
        """Whether the file is the same, and links and siblings were looked at lately."""
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (
            found.st_mtime_ns == self._mtime_ns
            and found.st_size == self._size
            and found.st_ino == self._inode
            and time.monotonic() < self._until
        )


ANSWER_S: Final = 1.0
ANSWERS: Final[dict[object, Answer]] = {}
MOST_ANSWERS: Final = 10_000
CONTENTS: Final = Bounded(64 * 1024 * 1024, 2 * 1024 * 1024)
HASHES: Final = Bounded(4 * 1024 * 1024, 1024)


# Hashed within a request's turn up to here, which takes a few milliseconds.
_AT_ONCE: Final = 4 * 1024 * 1024
_HASHING: Final[dict[Key, "asyncio.Future[None]"]] = {}


def version_of(key: Key) -> str:
    """The version of a file: the beginning of its SHA-512, in hexadecimal."""
    return digest_of(key)[:40]


def digest_of(key: Key) -> str:
    """The SHA-512 of a file, in hexadecimal."""
    known = HASHES.get(key)
    if known is None:
        with open(key.path, "rb") as file:
            known = hashlib.file_digest(file, "sha512").hexdigest().encode()
        HASHES.put(key, known)
    return known.decode()


def must_be_hashed(key: Key) -> bool:
    """Whether the version is still unknown, and takes long enough to hold other requests up."""
    return key.size > _AT_ONCE and HASHES.get(key) is None


async def hash_aside(key: Key) -> None:
    """Find the version in a thread; requests that come meanwhile wait for the same one."""
    running = _HASHING.get(key)
    if running is None or running.get_loop() is not asyncio.get_running_loop():
        loop = asyncio.get_running_loop()
        running = _HASHING[key] = loop.create_task(asyncio.to_thread(_hash, key))
        running.add_done_callback(lambda _: _HASHING.pop(key, None))
    # One client that goes away does not end it for the others.
    await asyncio.shield(running)


def _hash(key: Key) -> None:
    version_of(key)
