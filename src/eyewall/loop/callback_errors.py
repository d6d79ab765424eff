"""Who takes the errors of work that was begun by callbacks."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

on_callback_error: Final[ContextVar[Callable[[BaseException], object] | None]] = ContextVar(
    "on_callback_error", default=None
)
"""Takes the failure of an `IOLoop` callback or of a `gen.engine`, for which nobody waits.

It is set while an `@asynchronous` verb runs, so all that the verb begins has it.
"""
