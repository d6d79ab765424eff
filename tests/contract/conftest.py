"""Real servers that the contracts run against."""

import re
import subprocess

import pytest

from tests.support import require


@pytest.fixture(scope="session")
def redis_path(tmp_path_factory):
    program = require("redis-server")
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
    with served(command, r"eady to accept connections", "stdout"):
        yield str(path)


@pytest.fixture(scope="session")
def nats_port(tmp_path_factory):
    program = require("nats-server")
    command = [program, "-a", "127.0.0.1", "-p", "-1", "-js"]
    command += ["-sd", tmp_path_factory.mktemp("nats")]
    with served(command, r"Server is ready", "stderr") as lines:
        [port] = re.findall(r"client connections on 127\.0\.0\.1:(\d+)", "".join(lines))
        yield int(port)


class served:  # noqa: N801 - used as a function
    """A program that runs for the block, once its output has said that it is ready."""

    def __init__(self, command, ready, stream):
        self.command, self.ready, self.stream = command, ready, stream

    def __enter__(self):
        self.popen = subprocess.Popen(
            [str(each) for each in self.command], **{self.stream: subprocess.PIPE}, text=True
        )
        lines = []
        for line in getattr(self.popen, self.stream):
            lines.append(line)
            if re.search(self.ready, line):
                return lines
        raise AssertionError("".join(lines))

    def __exit__(self, *exc):
        self.popen.kill()
        self.popen.communicate()
