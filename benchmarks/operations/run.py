"""What operations cost: reloads, suspensions and killed workers under load, on several servers.

python benchmarks/operations/run.py             20 reloads, 10 suspensions of 2 s, 5 kills
python benchmarks/operations/run.py --quick     2, 1 and 1
python benchmarks/operations/run.py --peer Eyewall --markdown table.md
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from load import AB_CONNECTIONS, WRK_CONNECTIONS, Load, Outcome
from peers import Peer, Running, installed, running

RELOAD_WAIT_S = 45.0
BETWEEN_S = 0.5


@dataclass
class Row:
    """What one operation, repeated under load, did to requests."""

    outcome: Outcome
    done: int
    seconds: float


def under_load(server: Running, times: int, operate: Callable[[], bool]) -> Row:
    """Do something again and again while requests come."""
    load = Load(server.url)
    time.sleep(1)
    done, took = 0, 0.0
    try:
        for _ in range(times):
            began = time.monotonic()
            succeeded = operate()
            took += time.monotonic() - began
            if not succeeded:
                break
            done += 1
            time.sleep(BETWEEN_S)
    finally:
        outcome = load.stop()
    return Row(outcome, done, took / max(done, 1))


def suspend(server: Running) -> bool:
    """Suspend for two seconds."""
    server.suspend(2)
    return True


def measure(peer: Peer, counts: tuple[int, int, int]) -> dict[str, Row | str]:
    """All three operations; each on a fresh server."""
    rows: dict[str, Row | str] = {}
    operations: dict[str, tuple[int, Callable[[Running], bool]]] = {
        "reload": (counts[0], lambda server: server.reload(RELOAD_WAIT_S)),
        "suspend": (counts[1], suspend),
        "kill": (counts[2], lambda server: server.kill_one(RELOAD_WAIT_S)),
    }
    for name, (times, operate) in operations.items():
        if name == "suspend" and not peer.suspends:
            rows[name] = "cannot"
            continue
        try:
            with running(peer) as server:
                rows[name] = under_load(server, times, lambda: operate(server))  # noqa: B023 - called here
        except RuntimeError as exc:
            rows[name] = str(exc)
        print(f"  {name}: {describe(rows[name], times)}", flush=True)
        row = rows[name]
        if isinstance(row, Row):
            for line in row.outcome.details:
                print(f"    {line}", flush=True)
    return rows


def describe(row: Row | str, times: int) -> str:
    """A cell of the table."""
    if isinstance(row, str):
        return row
    note = "" if row.done == times else f" (only {row.done} of {times} came about)"
    return f"{row.outcome.failed:,} of {row.outcome.answered + row.outcome.failed:,}{note}"


def table(results: dict[str, dict[str, Row | str]], counts: tuple[int, int, int]) -> str:
    """The operations table, in Markdown."""
    what = (
        f"{counts[0]} rolling reloads",
        f"{counts[1]} suspensions of 2 s",
        f"{counts[2]} workers killed",
    )
    lines = [
        f"| failed of all requests | {' | '.join(what)} | seconds a reload |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, rows in results.items():
        cells = [describe(rows[key], times) for key, times in zip(rows, counts, strict=True)]
        reload = rows["reload"]
        took = f"{reload.seconds:.1f}" if isinstance(reload, Row) and reload.done else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {took} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2 reloads, 1 suspension, 1 kill")
    parser.add_argument("--peer", action="append", help="only those whose name begins so")
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    given = parser.parse_args()
    counts = (2, 1, 1) if given.quick else (20, 10, 5)
    found, missing = installed()
    for line in missing:
        print(f"Left out: {line}")
    print(
        f"wrk with {WRK_CONNECTIONS} kept connections, ab with {AB_CONNECTIONS} that are not kept"
    )
    results: dict[str, dict[str, Row | str]] = {}
    for peer in found:
        if given.peer and not any(peer.name.startswith(name) for name in given.peer):
            continue
        print(peer.name, flush=True)
        results[peer.name] = measure(peer, counts)
    text = table(results, counts)
    print(f"\n{text}")
    if given.markdown:
        given.markdown.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
