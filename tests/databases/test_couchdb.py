"""The client of CouchDB, against a server of its protocol."""

import pytest

from eyewall.http.couchdb import ConflictError, CouchDB, CouchDBError, Cursor, NotFoundError
from tests.databases import servers
from tests.unit.http.client.servers import answering

BY_KIND = {
    "_id": "_design/by",
    "views": {
        "kind": {"map": "function (doc) { if (doc.kind) emit(doc.kind, doc.size); }"},
        "both": {"map": "function (doc) { if (doc.kind) emit([doc.kind, doc.size], null); }"},
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers.couchdb(tmp_path_factory.mktemp("couchdb")) as url:
        yield url


@pytest.fixture
def db(run, server, request):
    """Run a coroutine function of a fresh database."""

    def db(work):
        async def main():
            async with CouchDB(f"{server}/{abs(hash(request.node.name))}x") as database:
                await database.create()
                try:
                    await work(database)
                finally:
                    await database.destroy()

        run(main)

    return db


def test_documents_are_saved_read_changed_and_deleted(db):
    async def work(database):
        saved = await database.put({"_id": "a/b ü", "text": "one"})
        assert await database.get("a/b ü") == saved
        changed = await database.put({**saved, "text": "two"})
        assert changed["_rev"].startswith("2-")
        await database.delete(changed)
        with pytest.raises(NotFoundError, match="404 not_found"):
            await database.get("a/b ü")
        named = await database.put({"text": "named by the database"})
        assert (await database.get(named["_id"]))["text"] == "named by the database"

    db(work)


def test_conflicts_are_raised_and_told(db):
    async def work(database):
        saved = await database.put({"_id": "a"})
        await database.put(saved)
        with pytest.raises(ConflictError):
            await database.put(saved)
        with pytest.raises(ConflictError):
            await database.delete(saved)
        with pytest.raises(ConflictError):
            await database.create()
        results = await database.bulk([{"_id": "a"}, {"_id": "b"}])
        assert [result.get("error") for result in results] == ["conflict", None]

    db(work)


@pytest.mark.parametrize("doc_id", ["", ".", "..", "_all_docs", "_design/", "_design/.."])
def test_what_cannot_be_an_id_is_refused(run, doc_id):
    async def main():
        async with CouchDB("http://127.0.0.1:1/x") as database:
            with pytest.raises(ValueError, match="cannot be a document's id"):
                await database.get(doc_id)

    run(main)


async def pages(database, **options):
    """All pages there are to the end, and then back from there."""
    forth, back, cursor = [], [], None
    while True:
        page = await database.page(cursor=cursor, **options)
        forth.append([row["id"] for row in page.rows])
        if page.next is None:
            break
        cursor = page.next
    while page.previous is not None:
        page = await database.page(cursor=page.previous, **options)
        back.append([row["id"] for row in page.rows])
    return forth, back


def test_all_documents_are_paged_both_ways(db):
    async def work(database):
        await database.bulk([{"_id": f"{number:02}"} for number in range(10)])
        forth, back = await pages(database, limit=4)
        assert forth == [["00", "01", "02", "03"], ["04", "05", "06", "07"], ["08", "09"]]
        assert back == [["04", "05", "06", "07"], ["00", "01", "02", "03"]]
        forth, back = await pages(database, limit=4, descending=True)
        assert forth == [["09", "08", "07", "06"], ["05", "04", "03", "02"], ["01", "00"]]
        assert back == [["05", "04", "03", "02"], ["09", "08", "07", "06"]]
        forth, back = await pages(database, limit=2, startkey="03", endkey="07")
        assert forth == [["03", "04"], ["05", "06"], ["07"]]
        assert back == [["05", "06"], ["03", "04"]]

    db(work)


def test_pages_hold_when_documents_go_and_come_in_between(db):
    async def work(database):
        await database.bulk([{"_id": f"{number:02}"} for number in range(0, 12, 2)])
        first = await database.page(limit=2)
        await database.delete(await database.get("04"))
        await database.put({"_id": "01"})
        second = await database.page(limit=2, cursor=first.next)
        assert [row["id"] for row in second.rows] == ["06", "08"]
        back = await database.page(limit=2, cursor=second.previous)
        assert [row["id"] for row in back.rows] == ["01", "02"]

    db(work)


def test_views_are_read_and_paged_by_key(db):
    async def work(database):
        await database.put(BY_KIND)
        await database.bulk(
            [{"_id": f"{n}", "kind": "even" if n % 2 == 0 else "odd", "size": n} for n in range(7)]
        )
        rows = await database.rows("by/kind", key="odd")
        assert [(row["id"], row["value"]) for row in rows] == [("1", 1), ("3", 3), ("5", 5)]
        # This server pages only by keys that differ; CouchDB itself goes by the ids too.
        forth, back = await pages(database, view="by/both", limit=3)
        assert forth == [["0", "2", "4"], ["6", "1", "3"], ["5"]]
        assert back == [["6", "1", "3"], ["0", "2", "4"]]
        with pytest.raises(NotFoundError):
            await database.rows("by/none")
        with pytest.raises(ValueError, match="design/view"):
            await database.rows("kind")
        with pytest.raises(ValueError, match="at least one row"):
            await database.page(limit=0)

    db(work)


def test_changes_come_as_they_happen_and_from_any_place(db):
    async def work(database):
        await database.put({"_id": "before"})
        seen = [change async for change in database.changes(0, live=False)]
        assert [change["id"] for change in seen] == ["before"]
        feed = database.changes(0, include_docs=True, heartbeat_s=1)
        assert (await anext(feed))["id"] == "before"
        await database.put({"_id": "after", "text": "new"})
        change = await anext(feed)
        assert (change["id"], change["doc"]["text"]) == ("after", "new")
        await feed.aclose()
        again = database.changes(seen[-1]["seq"], heartbeat_s=1)
        assert (await anext(again))["id"] == "after"
        await again.aclose()

    db(work)


def test_changes_go_on_after_a_lost_connection(run):
    asked = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split()[1].decode().partition("since=")[2])
        number = len(asked)
        line = b'{"seq":%d,"id":"n%d"}\n' % (number, number)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"1\r\n\n\r\n%x\r\n%b\r\n" % (len(line), line))
        if number % 2:
            # The proper end is no end for a feed either.
            writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def main():
        async with answering(serve) as url, CouchDB(f"{url}/db") as database:
            feed = database.changes("now")
            assert [(await anext(feed))["id"] for _ in range(4)] == ["n1", "n2", "n3", "n4"]
            await feed.aclose()
        assert asked[:4] == ["now", "1", "2", "3"]

    run(main)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'HTTP/1.1 403 x\r\nContent-Length: 32\r\n\r\n{"error":"forbidden","reason":""}', "403"),
        (b"HTTP/1.1 500 x\r\nContent-Length: 4\r\n\r\noops", "not CouchDB's"),
        (b"HTTP/1.1 502 x\r\nContent-Length: 2\r\n\r\n[]", "not CouchDB's"),
    ],
)
def test_refusals_are_errors_whatever_they_say(run, answer, message):
    async def main():
        async with answering(answer) as url, CouchDB(f"{url}/db") as database:
            with pytest.raises(CouchDBError, match=message):
                await database.get("a")
            with pytest.raises(CouchDBError, match=message):
                await anext(database.changes())

    run(main)


def test_cursors_survive_json():
    assert Cursor(*[["a", 1], "id", True]) == Cursor(["a", 1], "id", backwards=True)
