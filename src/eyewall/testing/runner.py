"""`main`: unittest's own runner, with the program's options and logs."""

import sys
import unittest
from typing import Any

from eyewall.base.options import options


def main(**kwargs: Any) -> None:
    """Run tests: those that are named on the command line, else `all()` of the main module.

    Options before the names are the program's (`--logging=debug`) and unittest's
    `--verbose`, `--quiet`, `--failfast`, `--catch` and `--buffer`. It ends the process, with 0
    when all tests pass.

    Args:
        kwargs: Arguments of `unittest.main`, which win over options.
    """
    for name, help_ in (
        ("verbose", "name each test"),
        ("quiet", "print only what fails"),
        ("failfast", "end with the first failure"),
        ("catch", "end with the report on Ctrl-C"),
        ("buffer", "show a test's output only when it fails"),
    ):
        if name not in options:
            options.define(name, type=bool, help=help_, group="tests")
    rest = options.parse_command_line(kwargs.pop("argv", None) or sys.argv)
    if options.verbose or options.quiet:
        kwargs.setdefault("verbosity", 2 if options.verbose else 0)
    for name, argument in (
        ("failfast", "failfast"),
        ("catch", "catchbreak"),
        ("buffer", "buffer"),
    ):
        if options[name]:
            kwargs.setdefault(argument, True)
    argv = [sys.argv[0], *rest]
    if rest:
        kwargs.setdefault("module", None)
    else:
        kwargs.setdefault("defaultTest", "all")
    unittest.main(argv=argv, **kwargs)
