"""The walk-throughs of the documentation, done step by step; what they say comes out must come out."""

import fnmatch
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, require

PAGES = ("docs/tutorial/deploy.md", "docs/howto/suspend-traffic.md")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP = "@@ step"


def steps_of(page, folder):
    """Shell blocks, each with the lines that must come out of it; files are written."""
    steps = []
    for kind, text in _FENCE.findall((ROOT / page).read_text()):
        if kind == "python":
            name = re.match(r"# ([\w.]+)\n", text)
            assert name, f"a Python block of {page} does not begin with its file's name"
            (folder / name[1]).write_text(text)
        elif kind == "sh":
            steps.append((text, []))
        elif kind == "text":
            steps[-1] = (steps[-1][0], text.splitlines())
    return steps


@pytest.mark.parametrize("page", PAGES)
def test_every_step_of_a_walkthrough_does_what_it_says(page, tmp_path):
    require("curl")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    steps = steps_of(page, tmp_path)
    for file in tmp_path.glob("*.py"):
        file.write_text(file.read_text().replace("8888", port))
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "eyewall"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m eyewall "$@"\n')
    command.chmod(0o700)
    script = "".join(f"echo '{_STEP}'\n{text}\necho\n" for text, _ in steps).replace("8888", port)
    paths = os.pathsep.join([str(command.parent), str(Path(sys.executable).parent)])
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{paths}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = shell.communicate(timeout=120)[0]
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.communicate()
    parts = said.split(f"{_STEP}\n")[1:]
    assert len(parts) == len(steps), said
    for (text, expected), part in zip(steps, parts, strict=True):
        # What curl prints has no line end, so something else may stand on the same line.
        lines = [line for line in part.splitlines() if line]
        for line in expected:
            assert any(fnmatch.fnmatchcase(each, f"*{line}*") for each in lines), (
                f"after\n{text}\nthere is no {line!r} in\n{part}"
            )
