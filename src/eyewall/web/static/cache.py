"""Small files and versions, kept in memory as long as the files do not change."""

import contextlib
import hashlib
import threading
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


CONTENTS: Final = Bounded(64 * 1024 * 1024, 2 * 1024 * 1024)
HASHES: Final = Bounded(4 * 1024 * 1024, 1024)


def hash_of(path: str) -> str:
    """The SHA-512 of a file, in hexadecimal, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()
