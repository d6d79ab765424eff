"""Every store of the chat keeps, votes and pages alike, against the real database."""

import asyncio
import contextlib
import sys

import pytest

from tests.databases import servers
from tests.support import CHAT


@contextlib.contextmanager
def in_sqlite(tmp_path):
    yield f"sqlite://{tmp_path}/chat.sqlite3"


SERVERS = {
    "sqlite": in_sqlite,
    "redis": servers.redis,
    "postgresql": lambda _folder: servers.postgresql(),
    "mongodb": lambda _folder: servers.mongodb(),
    "couchdb": servers.couchdb,
}


@pytest.fixture(params=SERVERS)
def with_store(request, tmp_path, run, monkeypatch):
    monkeypatch.syspath_prepend(str(CHAT))
    import stores

    with SERVERS[request.param](tmp_path) as url:
        if request.param == "couchdb":
            url = f"{url.rstrip('/')}/chat"

        def with_store(main):
            async def opened():
                store = stores.open_store(url)
                await store.open()
                try:
                    return await main(store)
                finally:
                    await store.close()

            return run(opened)

        yield with_store
    for name in [name for name in sys.modules if name.partition(".")[0] == "stores"]:
        del sys.modules[name]


async def check(store):
    said = [await store.add("r/ö", "Ada", f"{number} ☂ 'quoted'") for number in range(7)]
    await store.add("other", "Ben", "elsewhere")
    ids = [message["id"] for message in said]
    assert len(set(ids)) == 7
    newest = await store.page("r/ö", 3)
    assert [message["id"] for message in newest] == ids[4:]
    assert newest[0] == said[4]
    assert [m["id"] for m in await store.page("r/ö", 3, before=ids[4])] == ids[1:4]
    assert [m["id"] for m in await store.page("r/ö", 3, before=ids[1])] == ids[:1]
    assert [m["id"] for m in await store.page("r/ö", 2, after=ids[2])] == ids[3:5]
    assert await store.page("r/ö", 3, after=ids[-1]) == []
    assert await store.page("nowhere", 3) == []
    assert await store.rooms() == ["other", "r/ö"]
    assert (await store.vote("r/ö", ids[0], "Ben"))["votes"] == ["Ben"]
    assert sorted((await store.vote("r/ö", ids[0], "Cleo"))["votes"]) == ["Ben", "Cleo"]
    assert (await store.vote("r/ö", ids[0], "Ben"))["votes"] == ["Cleo"]
    assert (await store.page("r/ö", 1, before=ids[1]))[0]["votes"] == ["Cleo"]
    assert await store.vote("other", "999999", "Ben") is None
    assert await store.vote("r/ö", "no id", "Ben") is None


def test_messages_are_kept_voted_for_and_paged(with_store):
    with_store(check)


def test_votes_of_many_at_once_all_count(with_store):
    async def main(store):
        message = (await store.add("r", "Ada", "x"))["id"]
        voters = [f"voter {number}" for number in range(10)]
        await asyncio.gather(*(store.vote("r", message, voter) for voter in voters))
        return (await store.page("r", 1))[0]["votes"], voters

    votes, voters = with_store(main)
    assert sorted(votes) == sorted(voters)
