"""How the errors of hub and program are told to clients."""

from typing import Final

from eyewall.base.errors import EyewallError
from eyewall.pubsub import (
    BackplaneError,
    ForbiddenError,
    HubClosedError,
    InvalidMessageError,
    SlowReaderError,
    TooManyError,
)


class RefusedError(EyewallError):
    """A receiver refuses what a client sent; the client gets its code and its text.

    Args:
        text: For whoever wrote the page.
        code: For the page's program.
    """

    def __init__(self, text: str, code: str = "refused") -> None:
        super().__init__(text)
        self.code = code


_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ForbiddenError, "forbidden"),
    (TooManyError, "too_many"),
    (InvalidMessageError, "invalid"),
    (SlowReaderError, "slow"),
    (BackplaneError, "unavailable"),
    (HubClosedError, "unavailable"),
    (ValueError, "invalid"),
)
TOLD: Final[tuple[type[Exception], ...]] = (RefusedError, *(kind for kind, _ in _CODES))
"""What a client is told of; anything else is the program's mistake."""


def code_of(error: Exception) -> str:
    """The code that clients know an error by."""
    if isinstance(error, RefusedError):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), "failed")
