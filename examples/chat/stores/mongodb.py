"""Messages in MongoDB."""

import time

from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, ReturnDocument


class MongoDBStore:
    """Keeps messages in a collection, with numbers of its own: an ObjectId is not in order."""

    def __init__(self, url):
        self._client = AsyncMongoClient(url)
        self._db = self._client.get_default_database("chat")

    async def open(self):
        """Make the index."""
        await self._db.messages.create_index([("room", ASCENDING), ("_id", ASCENDING)])

    async def close(self):
        """Close the connections."""
        await self._client.close()

    async def add(self, room, author, text):
        """Keep a message."""
        last = await self._db.numbers.find_one_and_update(
            {"_id": "messages"}, {"$inc": {"last": 1}}, upsert=True,
            return_document=ReturnDocument.AFTER,
        )  # fmt: skip
        document = {"_id": last["last"], "room": room, "author": author, "text": text,
                    "time": time.time(), "votes": []}  # fmt: skip
        await self._db.messages.insert_one(document)
        return _message(document)

    async def vote(self, room, message, voter):
        """Vote, or take the vote back."""
        if not message.isdecimal() or len(message) > 18:
            return None
        which = {"_id": int(message), "room": room}
        # Each of the two holds only when the other one does not, so only one of them counts.
        for voted, change in ((voter, "$pull"), ({"$ne": voter}, "$addToSet")):
            found = await self._db.messages.find_one_and_update(
                {**which, "votes": voted}, {change: {"votes": voter}},
                return_document=ReturnDocument.AFTER,
            )  # fmt: skip
            if found is not None:
                return _message(found)
        return None

    async def page(self, room, limit, *, before=None, after=None):
        """Messages of a room, oldest first."""
        query = {"room": room}
        if after is not None:
            query["_id"] = {"$gt": int(after)}
        elif before:
            query["_id"] = {"$lt": int(before)}
        order = DESCENDING if after is None else ASCENDING
        found = await self._db.messages.find(query).sort("_id", order).limit(limit).to_list()
        return [_message(each) for each in (found if after is not None else found[::-1])]

    async def rooms(self):
        """The rooms."""
        return sorted(await self._db.messages.distinct("room"))


def _message(document):
    rest = {name: value for name, value in document.items() if name != "_id"}
    return {"id": str(document["_id"]), **rest}


def make(url):
    """The store of a MongoDB."""
    return MongoDBStore(url)
