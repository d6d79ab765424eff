"""What tests of several kinds need: programs of the system, and servers as processes."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHAT = ROOT / "examples" / "chat"


def require(program: str) -> str:
    """The path of a program; without it the test is skipped, or fails when CI is set."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Process:
    """`eyewall` as a process; its log is read up to a line that is waited for."""

    def __init__(self, *args: str, env: dict[str, str] | None = None, **popen: object) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "eyewall", *args],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            **popen,
        )
        self.log: list[str] = []

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read the log until a line matches."""
        for line in self.popen.stderr:
            self.log.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"{pattern!r} is not in the log:\n{''.join(self.log)}")

    def url(self) -> str:
        """The address that the banner names."""
        return self.wait_for(r"(https?://[0-9.:\[\]a-f]+)")[1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        rest = self.popen.communicate(timeout=30)[1]
        self.log.extend(rest.splitlines(keepends=True))
        return self.popen.returncode


@contextlib.contextmanager
def eyewall(*args: str, **options: object) -> Iterator[Process]:
    """A process that is ended with the block."""
    process = Process(*args, **options)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()
