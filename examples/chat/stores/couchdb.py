"""Messages in CouchDB, over the HTTP client: a document each, whose id sorts by room and time."""

import json
import secrets
import time
from urllib.parse import quote

from eyewall.http.client import AsyncHTTPClient, HTTPError

_LAST = "\ufff0"


class CouchDBStore:
    """Keeps messages in a database."""

    def __init__(self, url):
        self._url = url.rstrip("/")
        self._client = AsyncHTTPClient(force_instance=True)

    async def _ask(self, method, path="", body=None, accept=(200, 201, 202)):
        answer = await self._client.fetch(
            self._url + path,
            method=method,
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            allow_nonstandard_methods=True,
            raise_error=False,
        )
        if answer.code not in accept:
            raise HTTPError(answer.code, answer.reason, answer)
        return answer.code, json.loads(answer.body)

    async def open(self):
        """Make the database."""
        await self._ask("PUT", accept=(201, 202, 412))

    async def close(self):
        """Close the connections."""
        self._client.close()

    async def add(self, room, author, text):
        """Keep a message."""
        # Several servers write: the time orders, chance keeps apart.
        number = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        fields = {"room": room, "author": author, "text": text, "time": time.time(), "votes": []}
        await self._ask("PUT", f"/{_key(room, number)}", fields)
        return {"id": number, **fields}

    async def vote(self, room, message, voter):
        """Vote, or take the vote back; again when somebody else was faster."""
        while True:
            path = f"/{_key(room, message)}"
            status, document = await self._ask("GET", path, accept=(200, 404))
            if status == 404:
                return None
            votes = document["votes"]
            document["votes"] = (
                [name for name in votes if name != voter] if voter in votes else [*votes, voter]
            )
            status, _ = await self._ask("PUT", path, document, accept=(201, 202, 409))
            if status != 409:
                return _message(document)

    async def page(self, room, limit, *, before=None, after=None):
        """Messages of a room, oldest first."""
        low, high = f"m:{quote(room, safe='')}:", f"m:{quote(room, safe='')}:{_LAST}"
        down = after is None
        if down:
            start, end = (low + before if before else high), low
        else:
            start, end = low + after, high
        query = {"startkey": start, "endkey": end, "include_docs": True, "descending": down}
        # The key that is begun with is one of the answer.
        query["limit"] = limit + 1
        text = "&".join(f"{name}={quote(json.dumps(value))}" for name, value in query.items())
        _, found = await self._ask("GET", f"/_all_docs?{text}")
        documents = [row["doc"] for row in found["rows"] if row["id"] != start][:limit]
        return [_message(each) for each in (documents[::-1] if down else documents)]

    async def rooms(self):
        """The rooms: from each one it goes on behind its last message."""
        rooms, start = [], "m:"
        while True:
            query = f"startkey={quote(json.dumps(start))}&endkey={quote(json.dumps('m:' + _LAST))}"
            _, found = await self._ask("GET", f"/_all_docs?{query}&limit=1&include_docs=true")
            if not found["rows"]:
                return sorted(rooms)
            room = found["rows"][0]["doc"]["room"]
            rooms.append(room)
            start = f"m:{quote(room, safe='')}:{_LAST}"


def _key(room, number):
    return quote(f"m:{quote(room, safe='')}:{number}", safe="")


def _message(document):
    rest = {name: value for name, value in document.items() if not name.startswith("_")}
    return {"id": document["_id"].rpartition(":")[2], **rest}


def make(url):
    """The store of `http://host:5984/database`."""
    return CouchDBStore(url)
