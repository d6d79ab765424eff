"""The scripts that set the project up say plainly what is missing."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT


@pytest.fixture
def tools(tmp_path):
    """Run a script with only these programs on its path, each a line of shell."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("cut", "sort", "head", "printf"):
        (path / name).symlink_to(shutil.which(name))

    def tools(script, *args, **programs):
        for name, line in programs.items():
            file = path / name.replace("_", ".")
            file.write_text(f"#!/bin/sh\n{line}\n")
            file.chmod(0o755)
        return subprocess.run(
            ["/bin/sh", str(ROOT / "tools" / script), *args],
            capture_output=True,
            text=True,
            env={"PATH": str(path)},
        )

    return tools


def test_without_rust_the_version_and_the_way_to_it_are_named(tools):
    done = tools("rust.sh")
    assert done.returncode == 1
    assert "1.88 or newer" in done.stderr
    assert "https://rustup.rs" in done.stderr


@pytest.mark.parametrize("version", ["1.87.0", "1.9.2"])
def test_an_old_rust_is_named(tools, version):
    done = tools("rust.sh", cargo="true", rustc=f'echo "rustc {version} (abc 2025-05-09)"', cc="")
    assert done.returncode == 1
    assert f"this is {version.rpartition('.')[0]}" in done.stderr


def test_without_a_linker_its_package_is_named(tools):
    done = tools("rust.sh", cargo="true", rustc='echo "rustc 1.100.0 (abc 2026-11-01)"')
    assert done.returncode == 1
    assert "C linker" in done.stderr


def test_all_that_the_engine_needs_is_enough(tools):
    done = tools("rust.sh", cargo="true", rustc='echo "rustc 1.88.0 (abc 2025-06-23)"', cc="true")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_old_python_is_named(tools, tmp_path):
    done = tools("setup.sh", str(tmp_path / "v"), python3='[ "$1" != -c ] && echo "Python 3.9.2"')
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr


def test_a_python_without_venv_is_named_with_its_package(tools, tmp_path):
    done = tools("setup.sh", str(tmp_path / "v"), python3='case "$2" in *venv*) exit 1;; esac')
    assert done.returncode == 1
    assert "python3-venv" in done.stderr


def test_make_alone_lists_the_targets():
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 0
    for target in ("demo", "test", "check", "bench", "build", "clean"):
        assert f"make {target}" in done.stdout


def test_the_shape_of_the_tree_is_right():
    script = str(ROOT / "tools" / "check_shape.py")
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
