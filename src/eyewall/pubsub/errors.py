"""What can go wrong between publishers and subscribers."""

from eyewall.base.errors import EyewallError


class HubError(EyewallError):
    """The root of these errors."""


class BackplaneError(HubError):
    """The backplane cannot be reached, or refused."""


class HubClosedError(HubError):
    """The hub was closed."""


class SlowReaderError(HubError):
    """A reader fell too far behind, and its policy is to be disconnected."""


class ForbiddenError(HubError):
    """A client may not do this, or no longer."""


class TooManyError(HubError):
    """A client wants more topics, or publishes more often, than it may."""


class InvalidMessageError(HubError):
    """A client's message does not have the type that its topic was described with."""
