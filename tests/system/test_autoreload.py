"""Programs that start themselves anew when a file changes."""

import contextlib
import os
import subprocess
import sys

import pytest

SERVER = """
import sys
from eyewall.loop import IOLoop
from eyewall.ops import autoreload
import part

async def main():
    autoreload.add_reload_hook(lambda: print("hook", flush=True))
    autoreload.watch("settings.txt")
    autoreload.start(check_time=20)
    autoreload.start(check_time=20)
    print("serves", part.VALUE, open("settings.txt").read(), sys.argv[1:], flush=True)

loop = IOLoop.current()
loop.add_callback(main)
loop.start()
"""


class Program:
    def __init__(self, folder, *args):
        self.process = subprocess.Popen(
            [sys.executable, *args],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def wait_for(self, text):
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if text in line:
                return line.strip()
        raise AssertionError(f"{text!r} never came:\n{''.join(seen)}")


@contextlib.contextmanager
def program(folder, *args):
    made = Program(folder, *args)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()


def rewrite(path, text):
    """Write a file anew, with another time than before, however coarse the system's is."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "part.py").write_text("VALUE = 1")
    (tmp_path / "settings.txt").write_text("a")
    return tmp_path


def test_a_changed_module_or_watched_file_starts_the_program_anew(folder):
    with program(folder, "server.py", "arg") as running:
        assert running.wait_for("serves") == "serves 1 a ['arg']"
        pid = running.process.pid
        rewrite(folder / "part.py", "VALUE = 2")
        running.wait_for("hook")
        assert running.wait_for("serves") == "serves 2 a ['arg']"
        rewrite(folder / "settings.txt", "b")
        assert running.wait_for("serves") == "serves 2 b ['arg']"
        assert running.process.pid == pid
        assert running.process.poll() is None


@pytest.mark.parametrize("way", [("broken.py",), ("-m", "broken")])
def test_the_command_waits_until_a_broken_program_is_mended(folder, way):
    broken = folder / "broken.py"
    broken.write_text("this is no program")
    with program(folder, "-m", "eyewall.ops.autoreload", "--until-success", *way, "x") as running:
        running.wait_for("waiting for a change")
        rewrite(broken, "import sys; print('raising', sys.argv[1:], flush=True); 1 / 0")
        assert running.wait_for("raising") == "raising ['x']"
        running.wait_for("waiting for a change")
        rewrite(
            broken,
            # The end by `sys.exit` is logged as information.
            "import logging, sys; logging.basicConfig(level=20); sys.exit('not yet')",
        )
        running.wait_for("ended with 'not yet'")
        rewrite(broken, "print('done', flush=True)")
        running.wait_for("done")
        assert running.process.wait(timeout=30) == 0


def test_a_module_that_is_imported_and_broken_is_watched(folder):
    (folder / "part.py").write_text("VALUE =")
    with program(folder, "-m", "eyewall.ops.autoreload", "server.py") as running:
        running.wait_for("waiting for a change")
        rewrite(folder / "part.py", "VALUE = 3")
        assert running.wait_for("serves") == "serves 3 a []"


def test_the_command_says_how_it_is_used(folder):
    with program(folder, "-m", "eyewall.ops.autoreload") as running:
        running.wait_for("Usage: python -m eyewall.ops.autoreload")
        assert running.process.wait(timeout=30) == 2
