"""Messages in MongoDB, in coroutines of both kinds."""

import os

from pymongo import AsyncMongoClient

from eyewall import Application, RequestHandler
from eyewall.aio import coroutine, op


class Messages(RequestHandler):
    """All messages."""

    async def get(self):
        """The newest first, at most ten."""
        newest = self.settings["db"].messages.find().sort("_id", -1).limit(10)
        messages = [message async for message in newest]
        self.write({"messages": [message["text"] for message in messages]})

    @coroutine
    def post(self):
        """Write one; a generator, as older programs have them."""
        db = self.settings["db"]
        result = yield op(db.messages.insert_one, {"text": self.get_argument("text")})
        message = yield op(db.messages.find_one, {"_id": result.inserted_id})
        self.set_status(201)
        self.write({"id": str(result.inserted_id), "text": message["text"]})


async def database(app):
    """A client, which has a pool of its own."""
    async with AsyncMongoClient(os.environ["MONGODB_URL"], serverSelectionTimeoutMS=5000) as client:
        app.settings["db"] = client.example
        yield


app = Application([(r"/messages", Messages)])
app.resource(database)
