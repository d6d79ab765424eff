"""Topics that anybody may publish to and subscribe to, in one process or many."""

from eyewall.pubsub.access import Access, Action, Grant
from eyewall.pubsub.client import ClientLimits, HubClient
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
from eyewall.pubsub.presence import Presence, Tracked
from eyewall.pubsub.presence_state import Change
from eyewall.pubsub.receipts import Receipts
from eyewall.pubsub.subscription import Subscription

__all__ = [
    "Access",
    "Action",
    "BackplaneError",
    "Callback",
    "Change",
    "ClientLimits",
    "ForbiddenError",
    "Gap",
    "Grant",
    "Hub",
    "HubClient",
    "HubClosedError",
    "HubError",
    "InvalidMessageError",
    "Message",
    "Overflow",
    "Position",
    "Presence",
    "Reader",
    "Receipts",
    "Retention",
    "SlowReaderError",
    "Subscription",
    "TooManyError",
    "Tracked",
]
