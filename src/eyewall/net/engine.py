"""The engine's errors, as `net` uses them."""

from eyewall._engine import StreamClosedError as ConnectionEndedError

__all__ = ["ConnectionEndedError"]
