"""Every session store of ours keeps the contract."""

import contextlib
import subprocess

import pytest

from eyewall.testing.contracts.store import SessionStoreContract
from eyewall.web.sessions import MemoryStore
from eyewall.web.sessions.redis_store import RedisStore
from eyewall.web.sessions.sqlite_store import SQLiteStore
from tests.support import require


class Clocked(SessionStoreContract):
    now = 1000.0

    async def let_pass(self, seconds):
        self.now += seconds


class TestMemory(Clocked):
    @contextlib.asynccontextmanager
    async def store(self):
        yield MemoryStore(clock=lambda: self.now)


class TestSQLite(Clocked):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    @contextlib.asynccontextmanager
    async def store(self):
        store = SQLiteStore(self.folder / "sessions.db", clock=lambda: self.now)
        yield store
        await store.close()


class TestRedis(SessionStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, tmp_path):
        require("redis-server")
        self.path = tmp_path / "redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", ""]
        server = subprocess.Popen([*command, "--dir", tmp_path], stdout=subprocess.PIPE, text=True)
        for line in server.stdout:
            if "eady to accept connections" in line:
                break
        yield
        server.terminate()
        server.wait(10)
        server.stdout.close()

    @contextlib.asynccontextmanager
    async def store(self):
        store = RedisStore(f"unix://{self.path}")
        yield store
        await store.close()

    async def let_pass(self, seconds):
        # The server's own clock: the time of its keys is moved instead.
        from redis import asyncio as redis

        client = redis.from_url(f"unix://{self.path}")
        for key in await client.keys("*"):
            left = await client.pttl(key)
            await client.pexpire(key, max(0, int(left - seconds * 1000)))
        await client.aclose()
