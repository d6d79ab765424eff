"""Twisted on the same loop: `yield deferred`, a resolver, and `install`."""

from eyewall.aio.deferreds import install
from eyewall.net.twisted_resolver import TwistedResolver

__all__ = ["TwistedResolver", "install"]
