"""What is wrong with a message.

HTTPInputError     what came is malformed; also a ValueError
HTTPOutputError    what a program wants to send does not add up
"""

from eyewall.base.errors import EyewallError


class HTTPInputError(EyewallError, ValueError):
    """A message, or a part of one, that cannot be taken."""


class HTTPOutputError(EyewallError, RuntimeError):
    """An answer that cannot be sent as it was begun."""
