"""Attributes that are made when they are first read."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - used as a decorator
    """A property whose value is made once and kept in the instance's dictionary.

    Unlike `functools.cached_property` it takes no lock on Python 3.11, and later reads cost
    what a plain attribute costs. Assigning replaces the value.

    Example:
        >>> class Page:
        ...     @lazy
        ...     def words(self):
        ...         return "a long text".split()
        >>> Page().words
        ['a', 'long', 'text']
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy[T]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "lazy[T] | T":
        """The value, made now."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._make(instance)
        return value

    if TYPE_CHECKING:
        # With a real one each read would be a call.
        def __set__(self, instance: object, value: T) -> None: ...
