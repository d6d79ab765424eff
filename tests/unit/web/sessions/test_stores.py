"""Every store keeps, replaces, forgets, and lets time run out."""

import asyncio
import subprocess

import pytest

from eyewall.web.sessions.sqlite_store import SQLiteStore
from eyewall.web.sessions.stores import MemoryStore, key_of
from tests.support import require


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(params=["memory", "sqlite"])
def made(request, tmp_path):
    clock = Clock()
    if request.param == "memory":
        return MemoryStore(clock=clock), clock
    return SQLiteStore(tmp_path / "sessions.db", clock=clock), clock


async def close(store):
    if hasattr(store, "close"):
        await store.close()


def test_what_is_kept_comes_back_until_its_time_is_over(run, made):
    store, clock = made

    async def main():
        assert await store.load("a") is None
        await store.save("a", b"1", 10)
        await store.save("b", b"2\x00\xff", 20)
        await store.save("a", b"3", 10)
        assert (await store.load("a"), await store.load("b")) == (b"3", b"2\x00\xff")
        clock.now += 15
        assert (await store.load("a"), await store.load("b")) == (None, b"2\x00\xff")
        await store.delete("b")
        await store.delete("never")
        assert await store.load("b") is None
        await close(store)

    run(main)


def test_many_at_once_are_all_kept(run, made):
    store, _ = made

    async def main():
        await asyncio.gather(*(store.save(str(n), str(n).encode(), 10) for n in range(50)))
        kept = await asyncio.gather(*(store.load(str(n)) for n in range(50)))
        assert kept == [str(n).encode() for n in range(50)]
        await close(store)

    run(main)


def test_a_file_outlives_its_store_and_is_swept(run, tmp_path):
    clock = Clock()

    async def main():
        first = SQLiteStore(tmp_path / "s.db", clock=clock)
        await first.save("a", b"1", 10)
        await first.close()
        second = SQLiteStore(tmp_path / "s.db", clock=clock)
        assert await second.load("a") == b"1"
        clock.now += 100
        await second.save("b", b"2", 10)
        count = await second._run(
            lambda db: db.execute("SELECT count(*) FROM sessions").fetchone()[0]
        )
        await second.close()
        return count

    assert run(main) == 1


def test_memory_is_bounded(run):
    async def main():
        store = MemoryStore(most=2)
        for name in ("a", "b"):
            await store.save(name, b"", 10)
        await store.load("a")
        await store.save("c", b"", 10)
        assert (await store.load("a"), await store.load("b")) == (b"", None)

    run(main)


def test_redis_keeps_sessions(run, tmp_path):
    require("redis-server")
    from eyewall.web.sessions.redis_store import RedisStore

    path = tmp_path / "redis.sock"
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in server.stdout:
            if "eady to accept connections" in line:
                break

        async def main():
            store = RedisStore(f"unix://{path}")
            await store.save("a", b"1", 100)
            assert await store.load("a") == b"1"
            assert 0 < await store._client.ttl("session:a") <= 100
            await store.delete("a")
            assert await store.load("a") is None
            await store.close()

        run(main)
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


def test_stores_do_not_see_ids():
    assert len(key_of("x")) == 64
    assert "x" not in key_of("x")
