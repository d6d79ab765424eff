"""Votes in Redis, and the standing told to all who wait, in whatever process."""

import asyncio
import os

from redis import asyncio as redis

from eyewall import Application, RequestHandler


class Votes(RequestHandler):
    """Votes for a name."""

    async def post(self, name):
        """Count one."""
        async with self.settings["redis"].pipeline() as pipeline:
            pipeline.zincrby("votes", 1, name)
            pipeline.publish("voted", name)
            count, _ = await pipeline.execute()
        self.write({"name": name, "votes": int(count)})


class Standing(RequestHandler):
    """Who leads."""

    async def get(self):
        """The best ten, now, or with `wait` after the next vote."""
        if self.get_argument("wait", ""):
            async with self.settings["redis"].pubsub() as channel:
                await channel.subscribe("voted")
                self.settings["waiting"].release()
                async for message in channel.listen():
                    if message["type"] == "message":
                        break
        best = await self.settings["redis"].zrevrange("votes", 0, 9, withscores=True)
        self.write({"standing": [[name.decode(), int(votes)] for name, votes in best]})


async def database(app):
    """A client, which has a pool of its own."""
    async with redis.from_url(os.environ["REDIS_URL"]) as client:
        app.settings["redis"] = client
        app.settings["waiting"] = asyncio.Semaphore(0)
        yield


app = Application([(r"/votes/(\w+)", Votes), (r"/standing", Standing)])
app.resource(database)
