"""What the servers need first: an environment with the Python peers, and compiled programs.

Everything lands below build/benchmarks, which git ignores, and is kept for the next run.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "benchmarks"


@dataclass(frozen=True)
class Built:
    """What the servers start from.

    Args:
        python: The interpreter that has the Python peers and this tree's Eyewall.
        native: Paths of the compiled peers, by name.
    """

    python: str
    native: dict[str, Path]


@contextlib.contextmanager
def only_run() -> Iterator[None]:
    """Hold this machine's benchmarks for one run: two at once would measure each other.

    Raises:
        SystemExit: Another run of this tree is under way.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another run is under way; two at once would measure each other")
        yield


def prepare(python: str) -> Built:
    """Build and install what is not there yet; what cannot be had is named and left out.

    Args:
        python: The interpreter to make the environment of.

    Raises:
        subprocess.CalledProcessError: No environment could be made, or Eyewall not installed.
    """
    return Built(_environment(python), _compiled())


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _environment(python: str) -> str:
    version = _output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    venv = BUILD / f"venv-{version}"
    inside = str(venv / "bin" / "python")
    # The stamp is written last, so that an interrupted installation is begun again.
    stamp = venv / "complete"
    wanted = (HERE / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing the Python peers into {venv.relative_to(ROOT)}")
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
        _install(inside, wanted.split())
        stamp.write_text(wanted)
    _offer_tree(inside, version)
    return inside


def _offer_tree(python: str, version: str) -> None:
    """Let an environment import this tree's Eyewall, as it is now."""
    packages = Path(_output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    link = packages / "eyewall-tree.pth"
    probe = subprocess.run(
        [python, "-c", "import eyewall.http.server"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    if probe.returncode == 0:
        link.write_text(f"{ROOT / 'src'}\n")
        return
    # The tree's engine is for another Python: build one, in release mode, for this.
    print(f"Building Eyewall for Python {version}")
    link.unlink(missing_ok=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", str(ROOT)],
        check=True,
        # Not the tree's own target directory: what is there is for the tree's Python.
        env={**os.environ, "CARGO_TARGET_DIR": str(BUILD / f"engine-{version}")},
    )


def _install(python: str, names: list[str]) -> None:
    pip = [python, "-m", "pip", "install", "--quiet", "--upgrade"]
    if subprocess.run([*pip, *names], capture_output=True, check=False).returncode == 0:
        return
    # One of them has no wheel for this Python: the others are still wanted.
    for name in names:
        done = subprocess.run([*pip, name], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"Left out: {name} ({_last_line(done.stderr)})")


def _compiled() -> dict[str, Path]:
    peers = HERE / "peers"
    target = BUILD / "hyper-target"
    limit, go = BUILD / "limit", BUILD / "go"
    recipes: dict[str, tuple[list[str], Path]] = {
        "limit": (["gcc", "-O2", "-o", str(limit), str(peers / "limit" / "server.c")], limit),
        "hyper": (
            [
                *("cargo", "build", "--release", "--quiet"),
                *("--manifest-path", str(peers / "hyper" / "Cargo.toml")),
                *("--target-dir", str(target)),
            ],
            target / "release" / "hyper-peer",
        ),
        "go": (["go", "build", "-o", str(go), str(peers / "go" / "main.go")], go),
    }
    built: dict[str, Path] = {}
    for name, (recipe, program) in recipes.items():
        if shutil.which(recipe[0]) is None:
            print(f"Left out: {name} ({recipe[0]} is not installed)")
            continue
        done = subprocess.run(recipe, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"Left out: {name} ({_last_line(done.stderr)})")
            continue
        built[name] = program
    return built


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it failed without a word"])[-1]
