"""What Tornado had before context variables: names that do nothing, with a warning."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["ExceptionStackContext", "NullContext", "StackContext", "run_with_stack_context", "wrap"]

warnings.warn(
    "stack_context does nothing since coroutines carry context variables (contextvars) and raise "
    "their own errors; remove it from the program",
    DeprecationWarning,
    stacklevel=2,
)


class StackContext:
    """Enters the context around the block alone, not around callbacks that are begun in it.

    Args:
        context_factory: Makes the context manager.
    """

    def __init__(self, context_factory: Callable[[], Any]) -> None:
        self._factory = context_factory

    def __enter__(self) -> Callable[[], None]:
        self._context = self._factory()
        self._context.__enter__()
        return _nothing

    def __exit__(self, *exc_info: object) -> Any:
        return self._context.__exit__(*exc_info)


class ExceptionStackContext:
    """Calls a handler with what its block raises, not with what callbacks raise later.

    Args:
        exception_handler: Called with type, value and traceback; true when it has handled it.
    """

    def __init__(self, exception_handler: Callable[[Any, Any, Any], Any]) -> None:
        self._handler = exception_handler

    def __enter__(self) -> Callable[[], None]:
        return _nothing

    def __exit__(self, *exc_info: object) -> bool:
        return exc_info[0] is not None and bool(self._handler(*exc_info))


@contextlib.contextmanager
def NullContext() -> Iterator[None]:
    """A block without a context."""
    yield


def wrap(fn: F) -> F:
    """The function itself."""
    return fn


def run_with_stack_context(context: Any, func: Callable[[], Any]) -> Any:
    """Call a function inside a context."""
    with context:
        return func()


def _nothing() -> None:
    """What a context gives to leave it early."""
