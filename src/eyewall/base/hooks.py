"""Where those who watch a program are told, so that what they watch need not know them."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

Finished: TypeAlias = Callable[[int | None, BaseException | None], object]
"""Told how it ended: with a status, or with an exception."""

outgoing_hooks: Final[list[Callable[[Any], tuple[Any, Finished]]]] = []
"""Called with each request of the HTTP client; return what to send instead, and who is told."""
