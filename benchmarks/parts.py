"""Single parts beside their peers: scripts of their own, run one after the other."""

import subprocess
import sys
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent

PARTS: Final = {
    "templates": "A page of 1,000 rows by 10 escaped cells",
    "multipart": "A multipart upload of 64 MiB",
    "static": "Static files of 1 KiB and 1 MiB",
    "coroutines": "Coroutines, queues and locks beside asyncio's own and Tornado's",
    "websocket": "WebSockets: echo, broadcast, bursts, compression, idle connections",
    "hub": "The hub: fan-out, long polls, backplanes",
    "streams": "TCP echo of lines of 1 KiB over 64 connections",
    "http_client": "HTTP clients: 64 tasks that fetch 12 bytes, and a download of 1 GiB",
    "hosting": "Flask and Starlette, beside the servers made for them",
}
"""Titles by the names of the scripts."""


class PartFailedError(Exception):
    """A script ended with an error; the message has its last words."""


def part_table(python: str, name: str) -> str:
    """Run a script; returns its tables under a title.

    Args:
        python: The interpreter that has the peers.
        name: One of `PARTS`.

    Raises:
        PartFailedError: It failed.
    """
    script = str(_HERE / f"{name}.py")
    done = subprocess.run([python, script], capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["it failed without a word"]
        raise PartFailedError(words[-1])
    sys.stderr.write(done.stderr)
    return f"### {PARTS[name]}\n\n`python benchmarks/{name}.py`\n\n{done.stdout.strip()}\n"
