"""One round of one server: the load, and what it cost the server."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import serving
from servers import Server
from workloads import Workload

_TICKS_S: Final = os.sysconf("SC_CLK_TCK")
_WARM_UP_S: Final = 1
_UNITS_US: Final = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}


class LoadFailedError(Exception):
    """The load generator failed, or counted answers that were none."""


@dataclass(frozen=True)
class Load:
    """What a load generator saw.

    Args:
        requests: Answers in all.
        rate: Answers a second.
        p50_us: Median latency in microseconds; None where the generator does not tell.
        p99_us: The latency that 99 of 100 answers keep to; None where it does not tell.
    """

    requests: int
    rate: float
    p50_us: float | None
    p99_us: float | None


@dataclass(frozen=True)
class Sample:
    """One round.

    Args:
        load: What the load generator saw.
        cpu_us: CPU time of the server for each request, in microseconds.
        busy: The share of its core that the server used; well below 1 the load was the limit.
    """

    load: Load
    cpu_us: float
    busy: float


def measure(server: Server, workload: Workload, seconds: int) -> Sample:
    """Start the server, warm it up for a second, and load it.

    Raises:
        LoadFailedError: Answers failed or the generator did.
        ServerFailedError: The server does not start.
    """
    with serving(server) as (port, session):
        run_load(workload, port, _WARM_UP_S)
        before = cpu_seconds(session)
        seen = run_load(workload, port, seconds)
        spent = cpu_seconds(session) - before
    return Sample(seen, spent / seen.requests * 1e6, spent * seen.rate / seen.requests)


def run_load(workload: Workload, port: int, seconds: int) -> Load:
    """Run the workload's generator against a port; it inherits this process's core.

    Raises:
        LoadFailedError: Answers failed or the generator did.
    """
    command = workload.command(port, seconds)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 30, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise LoadFailedError(f"{command[0]} did not end") from exc
    try:
        return parse_h2load(done.stdout) if command[0] == "h2load" else parse_wrk(done.stdout)
    except LoadFailedError as exc:
        raise LoadFailedError(f"{command[0]}: {exc} {done.stderr.strip()}") from exc


def parse_wrk(text: str) -> Load:
    """Read wrk's report.

    Raises:
        LoadFailedError: It names errors, or has no figures.
    """
    if wrong := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text):
        raise LoadFailedError(wrong[0])
    count = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if count is None or rate is None or not int(count[1]):
        raise LoadFailedError("no answers")
    return Load(int(count[1]), float(rate[1]), _percentile(text, 50), _percentile(text, 99))


def _percentile(text: str, percent: int) -> float | None:
    match = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    return float(match[1]) * _UNITS_US[match[2]] if match else None


def parse_h2load(text: str) -> Load:
    """Read h2load's report, which has no percentiles.

    Raises:
        LoadFailedError: It names errors, or has no figures.
    """
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    rate = re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", text)
    if counts is None or rate is None or not int(counts[1]):
        raise LoadFailedError("no answers")
    if any(int(number) for number in counts.groups()[1:]):
        raise LoadFailedError(counts[0])
    return Load(int(counts[1]), float(rate[1]), None, None)


def cpu_seconds(session: int) -> float:
    """CPU time, user and system, of all living processes of a session so far."""
    ticks = 0
    for process in _processes(session):
        fields = _stat(process)
        if fields:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_S


def resident_bytes(session: int) -> int:
    """Resident memory of all processes of a session; shared pages count for each."""
    pages = 0
    for process in _processes(session):
        with contextlib.suppress(OSError):
            pages += int((process / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _processes(session: int) -> Iterator[Path]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(entry)
            if fields and int(fields[3]) == session:
                yield entry


def _stat(process: Path) -> list[str]:
    """The fields of /proc/PID/stat from the state on (the third); [] for a process that ended."""
    with contextlib.suppress(OSError):
        return (process / "stat").read_text().rpartition(")")[2].split()
    return []
