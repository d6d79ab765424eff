"""Starts the providers, and tells where they are."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, require

HERE = Path(__file__).parent
INSTALLED = ROOT / "build" / "auth_providers" / "oidc"


def _missing(reason):
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def _process(*command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), f"{command[0]} did not start"
            yield address
        finally:
            process.kill()


@contextlib.contextmanager
def oauth1_provider():
    """The address of a running OAuth 1.0a provider."""
    with _process(sys.executable, str(HERE / "oauth1.py")) as address:
        yield address


def _install():
    """Put oidc-provider into the build folder, unless this very version is there."""
    node, npm = require("node"), require("npm")
    wanted = HERE / "oidc" / "package.json"
    kept = INSTALLED / "package.json"
    if kept.exists() and kept.read_bytes() == wanted.read_bytes():
        if (INSTALLED / "node_modules" / "oidc-provider").is_dir():
            return node
    INSTALLED.mkdir(parents=True, exist_ok=True)
    shutil.copy(wanted, kept)
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"],
        cwd=INSTALLED,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        kept.unlink()
        _missing(f"oidc-provider cannot be installed: {done.stderr[-300:]}")
    return node


@contextlib.contextmanager
def oidc_provider(*redirect_uris):
    """The issuer of a running OpenID Connect provider whose program may be called back there."""
    node = _install()
    with _process(
        node, str(HERE / "oidc" / "provider.mjs"), str(INSTALLED), *redirect_uris
    ) as address:
        yield address
