"""Articles in CouchDB: pages by key in both directions, and changes as a stream of JSON lines."""

import json
import os

from eyewall import Application, HTTPError, RequestHandler
from eyewall.http.couchdb import ConflictError, CouchDB, Cursor, NotFoundError

BY_DATE = {
    "_id": "_design/articles",
    "views": {"by_date": {"map": "function (doc) { if (doc.date) emit(doc.date, doc.title); }"}},
}


class Articles(RequestHandler):
    """A page of titles, the newest first."""

    async def get(self):
        """The page, with links to those before and after."""
        text = self.get_argument("at", "")
        try:
            cursor = Cursor(*json.loads(text)) if text else None
        except (ValueError, TypeError):
            raise HTTPError(400, "at is no place in the list") from None
        page = await self.settings["db"].page(
            "articles/by_date", cursor=cursor, limit=3, descending=True
        )
        self.write(
            {
                "titles": [row["value"] for row in page.rows],
                "newer": page.previous and json.dumps(page.previous),
                "older": page.next and json.dumps(page.next),
            }
        )


class Article(RequestHandler):
    """One article."""

    async def get(self, name):
        """Show it, with the revision that a change must name."""
        try:
            self.write(await self.settings["db"].get(name))
        except NotFoundError:
            raise HTTPError(404) from None

    async def put(self, name):
        """Write it, or change the revision that is named."""
        article = {key: self.get_argument(key) for key in ("title", "date")}
        if revision := self.get_argument("rev", ""):
            article["_rev"] = revision
        try:
            self.write(await self.settings["db"].put({"_id": name, **article}))
        except ConflictError:
            raise HTTPError(409, "somebody else has changed it") from None


class Changes(RequestHandler):
    """What is written from now on."""

    async def get(self):
        """A line for each change, as long as the reader stays."""
        self.set_header("Content-Type", "application/x-ndjson")
        await self.flush()
        async for change in self.settings["db"].changes(self.get_argument("since", "now")):
            self.write(json.dumps({"article": change["id"], "seq": change["seq"]}) + "\n")
            await self.flush()


async def database(app):
    """The database and its view, made when they are not there."""
    async with CouchDB(os.environ["COUCHDB_URL"]) as db:
        try:
            await db.create()
            await db.put(BY_DATE)
        except ConflictError:
            pass
        app.settings["db"] = db
        yield


app = Application([(r"/articles", Articles), (r"/articles/(\w+)", Article), (r"/changes", Changes)])
app.resource(database)
