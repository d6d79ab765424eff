"""The program's options: any module defines some, the main one parses the command line.

Example:
    >>> from eyewall.base.options import define, options, parse_command_line
    >>> define("greeting", default="hello", help="what to say")
    >>> parse_command_line(["program", "--greeting=hi"])
    []
    >>> options.greeting
    'hi'
"""

from collections.abc import Callable, Sequence
from typing import Any, TextIO

from eyewall.base.log import define_logging_options
from eyewall.base.option_parser import OptionParser, options
from eyewall.base.option_values import Error

__all__ = [
    "Error",
    "OptionParser",
    "add_parse_callback",
    "define",
    "options",
    "parse_command_line",
    "parse_config_file",
    "print_help",
]


def define(
    name: str,
    default: Any = None,
    type: type | None = None,  # noqa: A002 - the name that programs give
    help: str | None = None,  # noqa: A002 - as before
    metavar: str | None = None,
    multiple: bool = False,
    group: str | None = None,
    callback: Callable[[Any], object] | None = None,
) -> None:
    """Define one of the program's options; see `OptionParser.define`."""
    options.define(name, default, type, help, metavar, multiple, group, callback)


def parse_command_line(args: Sequence[str] | None = None, final: bool = True) -> list[str]:
    """Set the program's options from the command line; see `OptionParser.parse_command_line`.

    When it is final, logging is set up by the options `--logging`, `--log-file-prefix` and so
    on.
    """
    return options.parse_command_line(args, final)


def parse_config_file(path: str, final: bool = True) -> None:
    """Set the program's options from a file; see `OptionParser.parse_config_file`."""
    options.parse_config_file(path, final)


def print_help(file: TextIO | None = None) -> None:
    """Write the program's options, to standard error by default."""
    options.print_help(file)


def add_parse_callback(callback: Callable[[], object]) -> None:
    """Call `callback` after each final parse of the program's options."""
    options.add_parse_callback(callback)


define_logging_options(options)
