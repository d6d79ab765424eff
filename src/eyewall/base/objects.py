"""Small helpers for objects, names and exceptions."""

import datetime
import importlib
import re
import sys
from collections.abc import Mapping
from types import CodeType, TracebackType
from typing import Any, Final, NoReturn

unicode_type: Final = str
bytes_type: Final = bytes
basestring_type: Final = str

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class ObjectDict(dict[str, Any]):
    """A dictionary whose members are read and written as attributes too.

    Example:
        >>> ObjectDict(name="ann").name
        'ann'
    """

    def __getattr__(self, name: str) -> Any:
        """The member of that name.

        Raises:
            AttributeError: There is none.
        """
        if name in self:
            return self[name]
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the member of that name."""
        self[name] = value


def import_object(name: str) -> Any:
    """A module, or a module's member, by its dotted name.

    Example:
        >>> import_object("os.path.join")("a", "b")
        'a/b'

    Raises:
        ImportError: There is nothing of that name.
    """
    parent, _, last = name.rpartition(".")
    if not parent:
        return importlib.import_module(name)
    module = importlib.import_module(parent)
    if hasattr(module, last):
        return getattr(module, last)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name != name:
            raise
        raise ImportError(f"module {parent} has no {last!r}") from None


def exec_in(
    code: str | CodeType, glob: dict[str, Any], loc: Mapping[str, object] | None = None
) -> None:
    """Run `code` in these namespaces; a str does not inherit the caller's `__future__` imports."""
    if isinstance(code, str):
        code = compile(code, "<string>", "exec", dont_inherit=True)
    exec(code, glob, loc)  # noqa: S102 - what the function is for


def raise_exc_info(
    exc_info: tuple[type[BaseException] | None, BaseException | None, TracebackType | None],
) -> NoReturn:
    """Raise the exception of a `sys.exc_info()` again, with its traceback.

    Raises:
        TypeError: It holds none.
    """
    error = exc_info[1]
    if error is None:
        raise TypeError("exc_info holds no exception")
    try:
        raise error.with_traceback(exc_info[2])
    finally:
        # The frame would hold the exception, which holds the frame.
        del error, exc_info


def errno_from_exception(error: BaseException) -> int | None:
    """The number of a system's error: its `errno`, else its first argument, else None."""
    number = getattr(error, "errno", None)
    if number is None and error.args:
        number = error.args[0]
    return number


def re_unescape(text: str) -> str:
    r"""The text that `re.escape` was given.

    Raises:
        ValueError: `re.escape` never gives this: a letter or digit after a backslash (`\d`).
    """

    def plain(match: re.Match[str]) -> str:
        character = match[1]
        if character.isascii() and character.isalnum():
            raise ValueError(f"{match[0]!r} is a pattern, not an escaped character")
        return character

    return _ESCAPED.sub(plain, text)


def timedelta_to_seconds(delta: datetime.timedelta) -> float:
    """The seconds of a timedelta."""
    return delta.total_seconds()


def is_finalizing() -> bool:
    """Whether the interpreter is shutting down."""
    return sys.is_finalizing()
