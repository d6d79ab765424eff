"""Eyewall beside its peers, in one run: `make bench`, or `python benchmarks/run.py --help`."""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from connections import Idle, WrongConnectionError, idle, longpoll
from harness import ServerFailedError, check, leave_load_core, take_load_core
from measure import LoadFailedError, Sample, measure
from parts import PARTS, PartFailedError, part_table
from prepare import Built, only_run, prepare
from report import goals_table, idle_table, longpoll_table, preface, workload_table
from servers import Server, all_servers
from workloads import WORKLOADS, Workload, WrongAnswerError

T = TypeVar("T")

_KINDS = (*WORKLOADS, "idle", "longpoll")
_FAILURES = (LoadFailedError, ServerFailedError, WrongAnswerError, WrongConnectionError, OSError)


def interleave(
    key: str,
    servers: Sequence[Server],
    rounds: int,
    once: Callable[[Server], T],
    checked: Callable[[Server], None] | None = None,
) -> dict[str, list[T]]:
    """Measure all servers in each round, so that a slow minute of the machine meets all.

    A server that fails is named with its error, and left out from there on.

    Args:
        key: The workload's name, for messages.
        servers: Who takes part.
        rounds: How often.
        once: Measures a server once.
        checked: Raises unless the server answers rightly; asked before the first round.
    """
    results: dict[str, list[T]] = {}
    failed: set[str] = set()
    for number in range(-1 if checked else 0, rounds):
        for server in servers:
            if server.name in failed:
                continue
            _progress(f"{key}: {server.name}, {f'round {number + 1}' if number >= 0 else 'check'}")
            try:
                if number < 0 and checked:
                    checked(server)
                else:
                    results.setdefault(server.name, []).append(once(server))
            except _FAILURES as exc:
                failed.add(server.name)
                results.pop(server.name, None)
                _progress("")
                print(f"Left out of {key}: {server.name} ({exc})")
    _progress("")
    return results


def _progress(text: str) -> None:
    """Overwrite the line with what happens now; only where somebody may be watching."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--workload",
        action="append",
        choices=(*_KINDS, *PARTS),
        help="a load, or a part beside its peers; may be repeated",
    )
    parser.add_argument("--peer", action="append", help="part of a server's name; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of a round")
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter for Eyewall and the Python peers"
    )
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for and print it."""
    options = _options()
    for tool in ("wrk", "h2load", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is needed; on Debian: apt-get install wrk nghttp2-client util-linux")
    pages: list[str] = []

    def add(page: str) -> None:
        print(page)
        pages.append(page)
        if options.markdown:
            options.markdown.write_text("\n".join(pages))

    wanted = options.workload or (*_KINDS, *PARTS)
    with only_run():
        built = _run(options, [key for key in wanted if key in _KINDS], add)
    leave_load_core()
    for name in (key for key in wanted if key in PARTS):
        _progress(name)
        try:
            table = part_table(built.python, name)
        except PartFailedError as exc:
            table = f"Left out: {name} ({exc})"
        _progress("")
        add(table)


def _run(options: argparse.Namespace, wanted: Sequence[str], add: Callable[[str], None]) -> Built:
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    # Before the cores are divided: building may use all of them.
    built = prepare(options.python)
    take_load_core()
    servers = all_servers(built)
    if options.peer:
        peers = [part.lower() for part in options.peer]
        servers = [s for s in servers if any(part in s.name.lower() for part in peers)]
    add(preface(built, rounds, seconds))
    samples: dict[str, dict[str, list[Sample]]] = {}
    for key in wanted:
        taking = [server for server in servers if key in server.workloads]
        if key == "idle":
            memory: dict[str, list[Idle]] = interleave(key, taking, min(rounds, 3), idle)
            add(idle_table(memory))
        elif key == "longpoll":
            add(longpoll_table(interleave(key, taking, rounds, longpoll)))
        else:
            samples[key] = _loaded(WORKLOADS[key], taking, rounds, seconds)
            add(workload_table(key, samples))
    if goals := goals_table(samples):
        add(goals)
    return built


def _loaded(
    workload: Workload, servers: Sequence[Server], rounds: int, seconds: int
) -> dict[str, list[Sample]]:
    return interleave(
        workload.key,
        servers,
        rounds,
        lambda server: measure(server, workload, seconds),
        lambda server: check(server, workload),
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
