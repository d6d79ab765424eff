"""Forked children, and child processes with streams."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from eyewall.net.process import Subprocess, cpu_count, fork_processes, task_id


def test_a_child_is_spoken_with_through_streams(go):
    async def main():
        child = Subprocess(
            [sys.executable, "-c", "import sys\nfor l in sys.stdin: print(l.upper(), end='')"],
            stdin=Subprocess.STREAM,
            stdout=Subprocess.STREAM,
            stderr=subprocess.DEVNULL,
        )
        await child.stdin.write(b"hello\nworld\n")
        child.stdin.close()
        assert await child.stdout.read_until(b"\n") == b"HELLO\n"
        assert await child.stdout.read_until_close() == b"WORLD\n"
        assert await child.wait_for_exit() == 0
        assert child.returncode == 0
        assert child.stderr is None

    go(main)


def test_a_child_that_dies_is_told_with_its_code(go):
    async def main():
        child = Subprocess(
            [sys.executable, "-c", "import sys; sys.exit('why')"], stderr=Subprocess.STREAM
        )
        codes = asyncio.Queue()
        child.set_exit_callback(codes.put_nowait)
        with pytest.raises(subprocess.CalledProcessError) as caught:
            await child.wait_for_exit()
        assert caught.value.returncode == 1
        assert await codes.get() == 1
        assert await child.stderr.read_until_close() == b"why\n"
        # Asking late is answered too.
        assert await child.wait_for_exit(raise_error=False) == 1

    go(main)


def test_a_killed_child_has_a_negative_code(go):
    async def main():
        child = Subprocess(["sleep", "60"], stdout=Subprocess.STREAM)
        child.proc.send_signal(signal.SIGKILL)
        assert await child.wait_for_exit(raise_error=False) == -signal.SIGKILL
        assert await child.stdout.read_until_close() == b""

    go(main)


def test_ends_are_noticed_without_descriptors_of_processes(go, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open", raising=False)

    async def main():
        child = Subprocess(["true"])
        assert await child.wait_for_exit() == 0

    go(main)


def test_a_program_that_does_not_exist_leaks_nothing(go):
    async def main():
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(FileNotFoundError):
            Subprocess(["/nowhere"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
        assert len(os.listdir("/proc/self/fd")) == before

    go(main)


def run_program(text, **options):
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=30, **options
    )


def test_children_are_numbered_and_failing_ones_started_again():
    done = run_program(
        """
import os, sys
from eyewall.net.process import fork_processes, task_id
assert task_id() is None
number = fork_processes(3)
assert number == task_id()
print(number, end="", flush=True)
if number == 1 and not os.path.exists(sys.argv[0] + "again"):
    marker = os.environ["MARKER"]
    if not os.path.exists(marker):
        open(marker, "w").close()
        os._exit(3)
""",
        env={**os.environ, "MARKER": f"/tmp/eyewall-test-{os.getpid()}"},
    )
    os.unlink(f"/tmp/eyewall-test-{os.getpid()}")
    assert sorted(done.stdout) == ["0", "1", "1", "2"]
    assert done.returncode == 0


def test_too_many_failures_end_all():
    done = run_program("""
import os
from eyewall.net.process import fork_processes
fork_processes(2, max_restarts=2)
os._exit(1)
""")
    assert done.returncode == 1
    assert "more than 2 child processes failed" in done.stderr


def test_a_signal_to_the_parent_ends_the_children():
    program = """
import os, signal
from eyewall.net.process import fork_processes
fork_processes(2)
os.write(1, b"up\\n")
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"up\n"
        assert parent.stdout.readline() == b"up\n"
        parent.terminate()
        # The end of the pipe comes when the last child has closed it.
        assert parent.stdout.read() == b""
    assert parent.returncode == 0


def test_forking_in_a_running_loop_is_refused(go):
    async def main():
        with pytest.raises(RuntimeError, match="before the event loop runs"):
            fork_processes(2)

    go(main)
    assert task_id() is None
    assert 1 <= cpu_count() <= os.cpu_count()
