"""`python -m eyewall.tornado program.py`: run a program written for Tornado, unchanged."""

import runpy
import sys
from pathlib import Path
from typing import Final

from eyewall.tornado.install import install

_USAGE: Final = """\
usage: python -m eyewall.tornado program.py [argument ...]
       python -m eyewall.tornado -m module [argument ...]

Runs a program that imports tornado, on Eyewall, without a change to it.
"""


def main() -> int:
    """Run the program that the command line names; 2 when it names none."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stderr.write(_USAGE)
        return 0 if arguments else 2
    install()
    if arguments[0] == "-m":
        if len(arguments) == 1:
            sys.stderr.write(_USAGE)
            return 2
        sys.argv = arguments[1:]
        # As `python -m` does: modules of the current folder come first.
        sys.path[0] = str(Path.cwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return 0
    program = Path(arguments[0])
    if not program.exists():
        sys.stderr.write(f"cannot run {program}: there is no such file\n")
        return 2
    sys.argv = arguments
    sys.path[0] = str(program.resolve().parent)
    runpy.run_path(str(program), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
