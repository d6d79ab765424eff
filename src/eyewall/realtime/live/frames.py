"""What clients and server say to each other: one JSON object a frame, the same over every transport.

Documented for writers of other clients in docs/reference/live-protocol.md.
"""

from typing import Any, Final

import msgspec

from eyewall.pubsub import Gap, Message
from eyewall.pubsub.presence_state import Change

MOST_FRAME_BYTES: Final = 64 * 1024
MOST_META_BYTES: Final = 1024
MOST_HISTORY: Final = 500


class Subscribe(msgspec.Struct, tag="subscribe", tag_field="do", frozen=True):
    """Messages of a topic, or of a pattern, from now on or after an id.

    Attributes:
        topic: The topic.
        n: Number that the answer carries.
        since: Id of the last message that the client has.
        history: Without `since`: so many of the newest messages are in the answer.
        presence: Be told who is there.
        meta: Be seen there, with this; needs `presence`.
        now: A poll is answered at once, with who is there.
    """

    topic: str
    n: int = 0
    since: str | None = None
    history: int = 0
    presence: bool = False
    meta: Any = None
    now: bool = False


class Unsubscribe(msgspec.Struct, tag="unsubscribe", tag_field="do", frozen=True):
    """No more of a topic."""

    topic: str
    n: int = 0


class Publish(msgspec.Struct, tag="publish", tag_field="do", frozen=True):
    """A message to everybody who is subscribed."""

    topic: str
    data: msgspec.Raw
    n: int = 0
    key: str | None = None


class Send(msgspec.Struct, tag="send", tag_field="do", frozen=True):
    """A message to the program, which answers it."""

    topic: str
    data: Any = None
    n: int = 0


class History(msgspec.Struct, tag="history", tag_field="do", frozen=True):
    """The messages before an id, or the newest."""

    topic: str
    n: int = 0
    limit: int = 50
    before: str | None = None


class Meta(msgspec.Struct, tag="meta", tag_field="do", frozen=True):
    """What is told of this client's presence."""

    topic: str
    meta: Any
    n: int = 0


class Identify(msgspec.Struct, tag="identify", tag_field="do", frozen=True):
    """Who the client is, or a newer proof of it."""

    token: str
    n: int = 0


class Ping(msgspec.Struct, tag="ping", tag_field="do", frozen=True):
    """Is anybody there?"""

    n: int = 0


Frame = Subscribe | Unsubscribe | Publish | Send | History | Meta | Identify | Ping

_decoder: Final[msgspec.json.Decoder[Frame]] = msgspec.json.Decoder(Frame)
_list_decoder: Final = msgspec.json.Decoder(list[Subscribe])
encode: Final = msgspec.json.Encoder().encode


def decode_frame(data: str | bytes) -> Frame:
    """A client's frame.

    Raises:
        ValueError: It is none.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as exc:
        raise ValueError(str(exc)[:200]) from None


def decode_subscriptions(data: str | bytes) -> list[Subscribe]:
    """The topics that a client of a one-way transport asks for.

    Raises:
        ValueError: They are not understood.
    """
    try:
        return _list_decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as exc:
        raise ValueError(str(exc)[:200]) from None


def ok(n: int, **more: Any) -> bytes:
    """The answer to a frame that was obeyed."""
    return encode({"ok": n, **more})


def refusal(n: int, code: str, text: str) -> bytes:
    """The answer to a frame that was not."""
    return encode({"error": n, "code": code, "text": text})


def message_frame(pattern: bytes | None, message: Message) -> bytes:
    """A published message.

    Args:
        pattern: The subscription's pattern as JSON, where that is not the topic itself.
        message: The message; its frame is made once for all who are subscribed to the topic.
    """
    if pattern is None:
        return message.envelope
    return b'{"on":%b,%b' % (pattern, message.envelope[1:])


def gap_frame(topic: str, gap: Gap) -> bytes:
    """Messages are missing that can no longer be had."""
    return encode({"gap": gap.reason, "topic": topic, "id": gap.id})


class _PresenceFrame:
    """The frame of a change, made once for all who are told of it."""

    __slots__ = ("_change", "_frame")

    def __init__(self) -> None:
        self._change: Change | None = None
        self._frame = b""

    def __call__(self, change: Change) -> bytes:
        """Who has come to a topic, who has gone, and of whom something else is told."""
        if self._change is not change:
            joined = {name: [meta] for name, meta in change.joined.items()}
            self._change = change
            self._frame = encode(
                {
                    "presence": change.topic,
                    "joined": {**joined, **change.updated},
                    "left": list(change.left),
                }
            )
        return self._frame


presence_frame: Final = _PresenceFrame()


def ended_frame(topic: str, code: str, text: str) -> bytes:
    """A subscription has ended, and not by the client's wish."""
    return encode({"ended": topic, "code": code, "text": text})
