"""The event loop: Tornado's face on the running asyncio loop."""

from eyewall.loop.eager import start_task
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.timers import PeriodicCallback

__all__ = ["IOLoop", "PeriodicCallback", "start_task"]
