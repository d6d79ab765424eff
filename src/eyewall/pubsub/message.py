"""Messages, their positions in the log, and what stands for messages that are lost."""

import re
from typing import Any, Final, NamedTuple, final

import msgspec

_POSITION: Final = re.compile(r"([0-9a-z]{1,32})-(0|[1-9][0-9]{0,17})", re.ASCII)
_UNSET: Final = object()


class Position(NamedTuple):
    """A place in the log of all messages; its text is what clients keep as a message's id.

    Attributes:
        epoch: Names the log. A log that was lost begins anew under another name, so that an id of
            the old one is never taken for one of the new.
        seq: Number of the message, counted over all topics.
    """

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read an id.

        Raises:
            ValueError: It is none.
        """
        found = _POSITION.fullmatch(text[:64])
        if found is None or len(text) > 64:
            raise ValueError(f"{text[:64]!r} is no message id")
        return cls(found[1], int(found[2]))


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A message as the backplanes keep it.

    Attributes:
        seq: Its number.
        topic: Where it was published.
        body: Its data as JSON.
        key: What it is about; newer messages of the same key may replace it for slow readers.
        time: When it was published, in seconds since 1970.
    """

    seq: int
    topic: str
    body: bytes
    key: str | None
    time: float


class Page(msgspec.Struct, array_like=True, frozen=True):
    """What a backplane still has of the messages after a position.

    Attributes:
        records: The messages, oldest first.
        is_complete: Whether these are all.
        lost: Where they are not: messages up to this number may be missing, none after it.
        top: Number of the newest message of the log when this was read; all messages up to it
            are considered.
    """

    records: list[Record]
    is_complete: bool
    lost: int
    top: int

    @classmethod
    def of(cls, records: list[Record], *, after: int, lost: int, limit: int, top: int) -> "Page":
        """Make one of all that was found.

        Args:
            records: The messages, oldest first.
            after: Number of the last message that was not wanted.
            lost: Up to where messages may be missing.
            limit: Most messages that are wanted.
            top: Number of the newest message of the log.
        """
        if after > top:
            # No log has given this number yet.
            lost = top
        if len(records) > limit:
            cut = len(records) - limit
            lost = max(lost, records[cut - 1].seq)
            records = records[cut:]
        return cls(records, lost <= after <= top, lost, top)


@final
class Message:
    """A published message, made once a process and shared by all subscribers.

    Attributes:
        topic: Where it was published.
        position: Its place in the log.
        body: Its data as JSON.
        key: What it is about, or None.
        time: When it was published, in seconds since 1970.
    """

    __slots__ = ("_data", "_envelope", "body", "key", "position", "time", "topic")

    def __init__(self, epoch: str, record: Record) -> None:
        self.position = Position(epoch, record.seq)
        self.topic = record.topic
        self.body = record.body
        self.key = record.key
        self.time = record.time
        self._data: Any = _UNSET
        self._envelope: bytes | None = None

    def __repr__(self) -> str:
        return f"<Message {self.id} {self.topic} {self.body[:60]!r}>"

    @property
    def id(self) -> str:
        """Its position as text."""
        return str(self.position)

    @property
    def data(self) -> Any:
        """Its data; all subscribers share the object, so do not change it."""
        if self._data is _UNSET:
            self._data = msgspec.json.decode(self.body)
        return self._data

    def decode(self, type_: Any) -> Any:
        """Its data as an object of a type.

        Raises:
            msgspec.ValidationError: It does not have this type.
        """
        return msgspec.json.decode(self.body, type=type_)

    @property
    def envelope(self) -> bytes:
        """Id, topic and data as one JSON object, made once for all subscribers."""
        if self._envelope is None:
            head = msgspec.json.encode({"id": self.id, "topic": self.topic})
            self._envelope = b"%b,%b%b}" % (head[:-1], b'"data":', self.body)
        return self._envelope


@final
class Gap:
    """Stands where messages are missing that can no longer be had.

    Attributes:
        position: Messages up to here are missing, or some of them; none that come after it. Those
            that are left of them follow.
        reason: "epoch": the log was lost or the id is of another one; "history": the history does
            not reach back so far; "slow": the reader was too slow.
    """

    __slots__ = ("position", "reason")

    def __init__(self, position: Position, reason: str) -> None:
        self.position = position
        self.reason = reason

    def __repr__(self) -> str:
        return f"<Gap up to {self.position}: {self.reason}>"

    @property
    def id(self) -> str:
        """Its position as text; reading goes on from here."""
        return str(self.position)
