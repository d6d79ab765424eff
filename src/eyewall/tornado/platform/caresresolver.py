"""Names looked up by c-ares, under Tornado's names."""

from eyewall.net.cares_resolver import CaresResolver

__all__ = ["CaresResolver"]
