"""Servers that are killed and come back: nothing that was confirmed is lost, or heard twice."""

import re

from eyewall.pubsub import Hub
from eyewall.pubsub.backends.nats import NatsBackplane
from eyewall.pubsub.backends.redis import RedisBackplane
from eyewall.testing.contracts.pubsub import read_until
from tests.contract.conftest import served
from tests.support import require


async def through_a_restart(backplane, kill, start):
    """Publish before, during and after."""
    async with Hub(backplane()) as hub, Hub(backplane()) as other:
        subscription = await hub.subscribe("a")
        first = await other.publish("a", 1)
        await other.publish("a", 2)
        assert await read_until(subscription, 2) == [1, 2]
        kill()
        waiting = [other.publish("a", n) for n in (3, 4, 5)]
        start()
        for each in waiting:
            await each
        assert await read_until(subscription, 5) == [3, 4, 5]
        async with hub.subscribe("a", since=first) as again:
            await other.publish("a", 6)
            assert await read_until(again, 6) == [2, 3, 4, 5, 6]


class Server:
    """A program that can be killed and started again."""

    def __init__(self, stream, ready):
        self.stream, self.ready = stream, ready
        self.running = None

    def start(self, command):
        self.running = served(command, self.ready, self.stream)
        return "".join(self.running.__enter__())

    def kill(self):
        if self.running is not None:
            self.running.__exit__()
            self.running = None


def test_redis_with_a_log_on_disk(run, tmp_path):
    program = require("redis-server")
    command = [program, "--port", "0", "--unixsocket", tmp_path / "redis.sock", "--save", ""]
    command += ["--dir", tmp_path, "--appendonly", "yes", "--appendfsync", "always"]
    server = Server("stdout", "eady to accept connections")
    server.start(command)

    async def main():
        url = f"unix://{tmp_path / 'redis.sock'}"
        await through_a_restart(
            lambda: RedisBackplane(url), server.kill, lambda: server.start(command)
        )

    try:
        run(main)
    finally:
        server.kill()


def test_nats_with_a_stream_on_disk(run, tmp_path):
    program = require("nats-server")
    server = Server("stderr", "Server is ready")

    def start(port):
        command = [program, "-a", "127.0.0.1", "-p", port, "-js", "-sd", tmp_path]
        return server.start(command)

    [port] = re.findall(r"client connections on 127\.0\.0\.1:(\d+)", start(-1))

    async def main():
        url = f"nats://127.0.0.1:{port}"
        await through_a_restart(lambda: NatsBackplane(url), server.kill, lambda: start(port))

    try:
        run(main)
    finally:
        server.kill()
