"""Starts databases on free ports, in folders of their own; each is ended with its block."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support import ROOT, require

HERE = Path(__file__).parent
INSTALLED = ROOT / "build" / "databases"


def free_port():
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def _missing(reason):
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def _process(command, **options):
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _line(process, stream, text):
    """Read what a server says up to a line with this text."""
    said = ""
    for line in stream:
        said += line
        if text in line:
            return line.strip()
    raise AssertionError(f"{process.args[0]} did not start:\n{said}")


def _as_somebody_else(user):
    """Options of Popen for servers that refuse to run as root."""
    return {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def _folder(user):
    """A folder that is the user's; pytest's own are for the one who runs it."""
    with tempfile.TemporaryDirectory(prefix="eyewall-") as name:
        if os.geteuid() == 0:
            shutil.chown(name, user, user)
        yield Path(name)


@contextlib.contextmanager
def redis(tmp_path):
    """The URL of a Redis."""
    port = free_port()
    command = [require("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with _process(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        _line(process, process.stdout, "eady to accept connections")
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def postgresql():
    """The URL of a database in a PostgreSQL, which its user may do everything with."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    tools = found[-1] if found else Path(require("initdb")).parent
    user = _as_somebody_else("postgres")
    with _folder("postgres") as folder:
        made = subprocess.run(
            [
                tools / "initdb",
                "-D",
                folder / "data",
                "-U",
                "tester",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "-N",
            ],
            capture_output=True,
            text=True,
            cwd=folder,
            **user,
        )
        assert made.returncode == 0, made.stderr
        port = free_port()
        command = [tools / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-F"]
        command += ["-h", "127.0.0.1", "-c", "logging_collector=off"]
        with _process(command, cwd=folder, stderr=subprocess.PIPE, **user) as process:
            _line(process, process.stderr, "ready to accept connections")
            yield f"postgresql://tester@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def mariadb():
    """Host, port and the name of a database in a MariaDB; its user is tester, without a password."""
    server, install = require("mariadbd"), require("mariadb-install-db")
    user = _as_somebody_else("mysql")
    with _folder("mysql") as folder:
        setup = folder / "setup.sql"
        setup.write_text(
            "CREATE DATABASE tests;\n"
            "CREATE USER tester@'127.0.0.1';\n"
            "GRANT ALL ON tests.* TO tester@'127.0.0.1';\n"
        )
        made = subprocess.run(
            [
                install,
                "--no-defaults",
                f"--datadir={folder}/data",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ],
            capture_output=True,
            text=True,
            cwd=folder,
            **user,
        )
        assert made.returncode == 0, made.stderr + made.stdout
        port = free_port()
        command = [server, "--no-defaults", f"--datadir={folder}/data", f"--socket={folder}/socket"]
        command += [f"--port={port}", "--bind-address=127.0.0.1", f"--init-file={setup}"]
        command += [
            f"--pid-file={folder}/pid",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        with _process(command, cwd=folder, stderr=subprocess.PIPE, **user) as process:
            _line(process, process.stderr, "ready for connections")
            yield {"host": "127.0.0.1", "port": port, "user": "tester", "db": "tests"}


@contextlib.contextmanager
def mongodb():
    """The URL of a server of MongoDB's protocol."""
    java, maven = require("java"), require("mvn")
    require("javac")
    jars = INSTALLED / "mongo"
    if not list(jars.glob("mongo-java-server-core-*.jar")):
        done = subprocess.run(
            [
                maven,
                "-q",
                "-B",
                "-f",
                HERE / "mongo" / "pom.xml",
                "dependency:copy-dependencies",
                f"-DoutputDirectory={jars}",
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            _missing(f"mongo-java-server cannot be fetched: {done.stdout[-300:]}")
    command = [java, "-cp", f"{jars}/*", HERE / "mongo" / "Server.java"]
    with _process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield _line(process, process.stdout, "mongodb:")


@contextlib.contextmanager
def couchdb(tmp_path):
    """The URL of a server of CouchDB's protocol."""
    node, npm = require("node"), require("npm")
    place = INSTALLED / "couch"
    wanted = HERE / "couch" / "package.json"
    kept = place / "package.json"
    if not kept.exists() or kept.read_bytes() != wanted.read_bytes():
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, kept)
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"],
            cwd=place,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            kept.unlink()
            _missing(f"express-pouchdb cannot be installed: {done.stderr[-300:]}")
    command = [node, HERE / "couch" / "server.mjs", place]
    with _process(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        yield _line(process, process.stdout, "http:")
