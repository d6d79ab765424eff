"""The c-ares resolver, under Tornado's name."""

from eyewall.net.cares_resolver import CaresResolver

__all__ = ["CaresResolver"]
