"""What each store does beyond the contract of all."""

import pytest

from eyewall.web.sessions.redis_store import RedisStore
from eyewall.web.sessions.sqlite_store import SQLiteStore
from eyewall.web.sessions.stores import MemoryStore, SessionStoreError, key_of


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


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


def test_a_redis_that_is_not_there_says_so(run, tmp_path):
    async def main():
        store = RedisStore(f"unix://{tmp_path}/nothing.sock")
        for ask in (store.load("a"), store.save("a", b"1", 1), store.delete("a")):
            with pytest.raises(SessionStoreError, match="Redis"):
                await ask
        await store.close()

    run(main)


def test_stores_do_not_see_ids():
    assert len(key_of("x")) == 64
    assert "x" not in key_of("x")
