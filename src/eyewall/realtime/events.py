"""The bytes of server-sent events (HTML Standard, section 9.2), and what may become one."""

import re
from dataclasses import dataclass
from typing import Any, Final, final

import msgspec

from eyewall.pubsub.message import Gap, Message

HEARTBEAT: Final = b":\n\n"
"""A comment: clients ignore it, and proxies see that the connection lives."""

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


@final
@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        data: Text, bytes of UTF-8, or anything else that becomes JSON. None sends an id or a
            retry time alone, which no listener sees.
        event: The type that clients listen to; "message" where there is none.
        id: What the client sends back when it has lost the connection.
        retry_ms: Milliseconds that the client waits before it comes back.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry_ms: int | None = None


def encode_event(item: Any) -> bytes:
    """An event as bytes.

    Args:
        item: An `Event`, a hub's `Message` or `Gap`; None for a heartbeat; anything else is data.

    Raises:
        ValueError: A type or an id that has a line end, or an id with a NUL.
        TypeError: Data that cannot be encoded.
    """
    if isinstance(item, Message):
        # The hub's JSON has no line ends.
        return b"id: %b\ndata: %b\n\n" % (item.id.encode(), item.body)
    if item is None:
        return HEARTBEAT
    if isinstance(item, Gap):
        item = Event({"reason": item.reason}, event="gap", id=item.id)
    elif not isinstance(item, Event):
        item = Event(item)
    lines: list[bytes] = []
    if item.id is not None:
        if "\0" in item.id:
            raise ValueError("clients ignore an event id with a NUL character")
        lines.append(b"id: " + _one_line("id", item.id))
    if item.event is not None:
        lines.append(b"event: " + _one_line("type", item.event))
    if item.retry_ms is not None:
        lines.append(b"retry: %d" % item.retry_ms)
    if item.data is not None:
        lines += [b"data: " + line for line in _LINE_END.split(_bytes(item.data))]
    return b"\n".join(lines) + b"\n\n"


def encode_envelope(item: Message | Gap) -> bytes:
    """An event as bytes whose data are id, topic and data of a hub's message."""
    if isinstance(item, Message):
        return b"id: %b\ndata: %b\n\n" % (item.id.encode(), item.envelope)
    return encode_event(item)


def _one_line(what: str, text: str) -> bytes:
    if "\n" in text or "\r" in text:
        raise ValueError(f"an event's {what} is one line, not {text!r}")
    return text.encode()


def _bytes(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes):
        return data
    return msgspec.json.encode(data)
