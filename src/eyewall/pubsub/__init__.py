"""Topics that anybody may publish to and subscribe to, in one process or many."""

from eyewall.pubsub.delivery import Callback, Overflow, Reader
from eyewall.pubsub.errors import (
    BackplaneError,
    ForbiddenError,
    HubClosedError,
    HubError,
    InvalidMessageError,
    SlowReaderError,
    TooManyError,
)
from eyewall.pubsub.history import Retention
from eyewall.pubsub.hub import Hub
from eyewall.pubsub.message import Gap, Message, Position
from eyewall.pubsub.subscription import Subscription

__all__ = [
    "BackplaneError",
    "Callback",
    "ForbiddenError",
    "Gap",
    "Hub",
    "HubClosedError",
    "HubError",
    "InvalidMessageError",
    "Message",
    "Overflow",
    "Position",
    "Reader",
    "Retention",
    "SlowReaderError",
    "Subscription",
    "TooManyError",
]
