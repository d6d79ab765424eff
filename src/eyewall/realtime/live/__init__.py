"""Live pages: a hub's topics in browsers, over WebSocket, event stream or polling."""

from eyewall.pubsub.access import Action, Grant
from eyewall.pubsub.client import ClientLimits
from eyewall.realtime.live.errors import RefusedError
from eyewall.realtime.live.handler import LiveHandler
from eyewall.realtime.live.live import Live
from eyewall.realtime.live.session import Session

__all__ = ["Action", "ClientLimits", "Grant", "Live", "LiveHandler", "RefusedError", "Session"]
