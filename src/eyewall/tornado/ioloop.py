"""The event loop, under Tornado's names."""

from builtins import TimeoutError

from eyewall.base.configurable import Configurable
from eyewall.base.objects import import_object
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.timers import PeriodicCallback

__all__ = ["Configurable", "IOLoop", "PeriodicCallback", "TimeoutError", "import_object"]
