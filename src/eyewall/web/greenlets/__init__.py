"""Handlers in blocking style, on the loop's thread: greenlets."""

from eyewall.aio.greenlets import blocking_await, run_in_greenlet
from eyewall.http.client.requests_setup import setup_session
from eyewall.web.greenlets.handler import greenlet_handler, tornalet

__all__ = [
    "blocking_await",
    "greenlet_handler",
    "run_in_greenlet",
    "setup_session",
    "tornalet",
]
