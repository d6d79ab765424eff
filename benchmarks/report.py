"""Medians as tables in Markdown, and what they were measured on."""

import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from connections import COUNT, Idle
from goals import GOALS
from harness import LOAD_CORE, SERVER_CORE
from measure import Sample
from prepare import ROOT, Built
from servers import LIMIT
from workloads import WORKLOADS

Results = Mapping[str, Mapping[str, Sequence[Sample]]]

_PACKAGES = (
    *("aiohttp", "granian", "httptools", "msgspec", "socketify", "starlette", "tornado"),
    *("twisted", "uvicorn", "uvloop"),
)

_COLUMNS = (
    *("server", "CPU µs/request", "spread", "to the limit", "to Eyewall"),
    *("requests/s", "busy", "p50 µs", "p99 µs"),
)


def median_of(samples: Sequence[Sample], figure: Callable[[Sample], float | None]) -> float | None:
    """The median of one figure over the rounds; None where no round has it."""
    known = [value for sample in samples if (value := figure(sample)) is not None]
    return statistics.median(known) if known else None


def _cost(samples: Sequence[Sample] | None) -> float | None:
    return median_of(samples, lambda sample: sample.cpu_us) if samples else None


def _number(value: float | None, form: str = ",.0f") -> str:
    return "" if value is None else format(value, form)


def _ratio(above: float | None, below: float | None) -> str:
    return f"{above / below:.2f}" if above and below else ""


def workload_table(key: str, results: Results) -> str:
    """The servers of one workload, the cheapest first."""
    workload = WORKLOADS[key]
    rows = {name: samples for name, samples in results[key].items() if samples}
    limit, ours = _cost(rows.get(LIMIT)), _cost(rows.get(workload.reference))
    lines = [
        f"## {workload.title}",
        "",
        f"`{shlex.join(workload.command(8000, 0)).replace('-d0s ', '').replace('-D0 ', '')}`"
        .replace(f"{ROOT}/", ""),
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "| --- " + "| ---: " * (len(_COLUMNS) - 1) + "|",
    ]  # fmt: skip
    for name in sorted(rows, key=lambda name: _cost(rows[name]) or 0):
        samples = rows[name]
        costs = [sample.cpu_us for sample in samples]
        cost = _cost(samples)
        cells = (
            name,
            _number(cost, ",.1f"),
            f"{min(costs):,.1f} to {max(costs):,.1f}",
            _ratio(cost, limit),
            _ratio(cost, ours),
            _number(median_of(samples, lambda sample: sample.load.rate)),
            _number(median_of(samples, lambda sample: sample.busy), ".0%"),
            _number(median_of(samples, lambda sample: sample.load.p50_us)),
            _number(median_of(samples, lambda sample: sample.load.p99_us)),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def idle_table(results: Mapping[str, Sequence[Idle]]) -> str:
    """Memory of idle connections, the least first."""
    lines = [
        f"## {COUNT:,} idle keep-alive connections",
        "",
        "| server | resident bytes each | spread | before, MiB |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name in sorted(results, key=lambda name: statistics.median(i.each for i in results[name])):
        each = [row.each for row in results[name]]
        base = statistics.median(row.base for row in results[name]) / (1 << 20)
        spread = f"{min(each):,.0f} to {max(each):,.0f}"
        lines.append(f"| {name} | {statistics.median(each):,.0f} | {spread} | {base:,.1f} |")
    return "\n".join(lines) + "\n"


def longpoll_table(results: Mapping[str, Sequence[float]]) -> str:
    """Time until the last waiting request was answered, the fastest first."""
    lines = [
        f"## {COUNT:,} waiting requests, answered after one event",
        "",
        "| server | ms until the last answer | spread |",
        "| --- | ---: | ---: |",
    ]
    for name in sorted(results, key=lambda name: statistics.median(results[name])):
        times = [seconds * 1000 for seconds in results[name]]
        spread = f"{min(times):,.0f} to {max(times):,.0f}"
        lines.append(f"| {name} | {statistics.median(times):,.0f} | {spread} |")
    return "\n".join(lines) + "\n"


def goals_table(results: Results) -> str:
    """The goals whose figures were measured in this run; "" when there are none."""
    lines = []
    for goal in GOALS:
        above = _cost(results.get(goal.above[0], {}).get(goal.above[1]))
        below = _cost(results.get(goal.below[0], {}).get(goal.below[1]))
        if above and below:
            ratio = above / below
            met = "yes" if goal.met_by(ratio) else "no"
            lines.append(f"| {goal.text} | {goal.wanted} | {ratio:.2f} | {met} |")
    if not lines:
        return ""
    head = ["## Goals, as ratios of CPU time", "", "| goal | wanted | measured | met |"]
    return "\n".join([*head, "| --- | ---: | ---: | --- |", *lines]) + "\n"


def preface(built: Built, rounds: int, seconds: int) -> str:
    """When, where and how this was measured, with the versions of everything."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    commit = _said("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    command = shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]])
    return "\n".join(
        [
            "# Results",
            "",
            "Written by `benchmarks/run.py`; README.md beside this says how to read it.",
            "",
            f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}",
            f"- Machine: {os.cpu_count()} cores, {cpu}, Linux {platform.release()}",
            f"- Servers on core {SERVER_CORE}, load on core {LOAD_CORE}",
            f"- Versions: {_versions(built)}",
            f"- Rounds: {rounds} of {seconds} s, peers interleaved; medians over the rounds",
            f"- Command: `{command}`",
            "",
        ]
    )


def _versions(built: Built) -> str:
    found = [_said(built.python, "--version")]
    listed = _said(built.python, "-m", "pip", "list", "--format=freeze").splitlines()
    found.extend(
        line.replace("==", " ") for line in listed if line.partition("==")[0].lower() in _PACKAGES
    )
    if "hyper" in built.native:
        manifest = str(ROOT / "benchmarks" / "peers" / "hyper" / "Cargo.toml")
        tree = _said("cargo", "tree", "--manifest-path", manifest, "--depth", "1", "--prefix=none")
        found.extend(
            line.replace(" v", " ") for line in tree.splitlines() if line.startswith("hyper v")
        )
        found.append(_said("rustc", "--version").partition(" (")[0])
    if "go" in built.native:
        found.append(_said("go", "version").removeprefix("go version ").partition(" ")[0])
    if shutil.which("node"):
        found.append("node " + _said("node", "--version").removeprefix("v"))
    found.extend(" ".join(_said(tool, "--version").split()[:2]) for tool in ("wrk", "h2load"))
    return ", ".join(filter(None, found))


def _said(*command: str) -> str:
    """What a command prints, or "" when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
