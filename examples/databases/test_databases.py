"""Each program against its real database."""

import asyncio
import importlib.util
import json

import pytest
from tests.databases import servers
from tests.support import ROOT

from eyewall.testing import TestClient


@pytest.fixture
def ask(monkeypatch):
    """Run a coroutine function of a client of one of the programs."""

    def ask(program, setting, value, work):
        monkeypatch.setenv(setting, value)
        path = ROOT / "examples" / "databases" / f"{program}.py"
        spec = importlib.util.spec_from_file_location(f"example_{program}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)

        async def main():
            async with asyncio.timeout(60), TestClient(module.app) as client:
                await work(client, module.app)

        asyncio.run(main())

    return ask


def test_postgresql_keeps_notes_and_tells_who_waits(ask):
    async def work(client, app):
        waiting = asyncio.create_task(client.get("/news"))
        await app.settings["reading"].wait()
        first = await client.post("/notes", data={"text": "Grüße'; DROP TABLE notes"})
        assert (first.status, first.json()["text"]) == (201, "Grüße'; DROP TABLE notes")
        assert (await waiting).json() == first.json()
        await asyncio.gather(*(client.post("/notes", data={"text": "x"}) for _ in range(30)))
        notes = (await client.get("/notes")).json()["notes"]
        assert len(notes) == 31
        assert (await client.get(f"/notes/{first.json()['id']}")).json() == first.json()
        assert (await client.get("/notes/999")).status == 404

    with servers.postgresql() as url:
        ask("postgresql", "DATABASE_URL", url, work)


def test_mysql_transfers_all_or_nothing(ask):
    async def work(client, _app):
        for name, amount in (("ann", "100"), ("bob", "0")):
            assert (await client.put(f"/accounts/{name}", data={"amount": amount})).status == 200
        moves = {"from": "ann", "to": "bob", "amount": "1"}
        answers = await asyncio.gather(*(client.post("/transfers", data=moves) for _ in range(20)))
        assert {answer.status for answer in answers} == {204}
        assert (await client.get("/accounts/ann")).json()["amount"] == 80
        nobody = await client.post("/transfers", data={**moves, "to": "nobody"})
        assert nobody.status == 404
        too_much = await client.post("/transfers", data={**moves, "amount": "81"})
        assert too_much.status == 409
        assert (await client.get("/accounts/ann")).json()["amount"] == 80
        assert (await client.get("/accounts/bob")).json()["amount"] == 20
        assert (await client.get("/accounts/none")).status == 404

    with servers.mariadb() as options:
        ask("mysql", "MYSQL", json.dumps(options), work)


def test_mongodb_keeps_messages_by_coroutines_of_both_kinds(ask):
    async def work(client, _app):
        for text in ("one", "zwei ü"):
            saved = await client.post("/messages", data={"text": text})
            assert (saved.status, saved.json()["text"]) == (201, text)
        assert (await client.get("/messages")).json() == {"messages": ["zwei ü", "one"]}

    with servers.mongodb() as url:
        ask("mongodb", "MONGODB_URL", url, work)


def test_redis_counts_votes_and_wakes_who_waits(ask, tmp_path):
    async def work(client, app):
        await asyncio.gather(*(client.post("/votes/ann") for _ in range(20)))
        assert (await client.post("/votes/bob")).json() == {"name": "bob", "votes": 1}
        waiting = [asyncio.create_task(client.get("/standing?wait=1")) for _ in range(5)]
        for _ in waiting:
            await app.settings["waiting"].acquire()
        await client.post("/votes/bob")
        for answer in await asyncio.gather(*waiting):
            assert answer.json() == {"standing": [["ann", 20], ["bob", 2]]}

    with servers.redis(tmp_path) as url:
        ask("redis_votes", "REDIS_URL", url, work)


def test_couchdb_pages_both_ways_and_streams_changes(ask, tmp_path):
    async def work(client, _app):
        for number in range(8):
            fields = {"title": f"No. {number}", "date": f"2026-11-{number + 10}"}
            assert (await client.put(f"/articles/a{number}", data=fields)).status == 200
        page = (await client.get("/articles")).json()
        seen = [page]
        while page["older"]:
            page = (await client.get("/articles", params={"at": page["older"]})).json()
            seen.append(page)
        titles = [title for page in seen for title in page["titles"]]
        assert titles == [f"No. {number}" for number in range(7, -1, -1)]
        back = (await client.get("/articles", params={"at": page["newer"]})).json()
        assert back["titles"] == seen[-2]["titles"]
        assert (await client.get("/articles", params={"at": "[1]"})).status == 400
        assert (await client.get("/articles/none")).status == 404
        old = await client.put("/articles/a1", data={"title": "x", "date": "y"})
        assert old.status == 409
        async with client.stream("GET", "/changes?since=0") as changes:
            line, _, _ = (await changes.piece()).partition(b"\n")
            assert json.loads(line)["seq"] == 1

    with servers.couchdb(tmp_path) as url:
        ask("couchdb", "COUCHDB_URL", f"{url}/articles", work)
