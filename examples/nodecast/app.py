"""Broadcast by long polling: a list in Redis, whose positions are the messages' ids."""

import asyncio
import json
import os
from pathlib import Path

from redis import asyncio as redis

from eyewall.base.log import app_log
from eyewall.web import Application, HTTPError, RequestHandler

URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
LIST = "nodecast:messages"
CHANNEL = "nodecast:news"
WAIT_S = 25.0
MOST = 100
LONGEST = 1000


class Cast:
    """The messages, and a wake-up for all who wait for the next one."""

    def __init__(self, url):
        self.redis = redis.from_url(url, decode_responses=True)
        self._news = asyncio.Event()
        self._listening = None

    def listen(self):
        """Follow the channel, once for all requests of this process."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())

    async def _listen(self):
        while True:
            try:
                async with self.redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for _ in channel.listen():
                        # Also for the subscription itself: what came before it is looked for.
                        self.wake()
            except redis.RedisError as exc:
                app_log.warning("Redis is away: %s", exc)
                await asyncio.sleep(1)

    def wake(self):
        """Have everybody look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def send(self, message):
        """Keep a message; returns its id."""
        length = await self.redis.rpush(LIST, json.dumps(message))
        await self.redis.publish(CHANNEL, length)
        return length - 1

    async def after(self, first, wait_s):
        """The messages from an id on; waits for one when there is none yet."""
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            # Taken before looking: what comes in between wakes us at once.
            news = self._news
            found = await self.redis.lrange(LIST, first, first + MOST - 1)
            left = deadline - asyncio.get_running_loop().time()
            if found or left <= 0:
                return [json.loads(text) for text in found]
            try:
                await asyncio.wait_for(news.wait(), left)
            except TimeoutError:
                return []

    async def close(self):
        """End the listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.redis.aclose()


class CastHandler(RequestHandler):
    """What both handlers share."""

    def initialize(self, cast):
        """Set the messages."""
        self.cast = cast


class Wait(CastHandler):
    """`/wait?id=7`: the messages from number 7 on, as soon as there is one."""

    async def get(self):
        """Answer now, or when something is sent."""
        self.cast.listen()
        try:
            first = max(0, int(self.get_query_argument("id", "0")))
        except ValueError:
            raise HTTPError(400, "id is a number") from None
        waiting = asyncio.ensure_future(self.cast.after(first, WAIT_S))
        self.exchange.on_disconnect(waiting.cancel)
        try:
            messages = await waiting
        except asyncio.CancelledError:
            if self.exchange.connected:
                raise
            return
        self.set_header("Cache-Control", "no-store")
        self.write({"id": first + len(messages), "messages": messages})


class Send(CastHandler):
    """`/send`: a message for everybody."""

    async def post(self):
        """Keep it, and wake who waits."""
        text = self.get_body_argument("text").strip()[:LONGEST]
        if not text:
            raise HTTPError(400, "an empty message")
        name = self.get_body_argument("name", "").strip()[:50] or "somebody"
        self.write({"id": await self.cast.send({"name": name, "text": text})})


class Site(Application):
    """The page and its two addresses."""

    def __init__(self, url=URL):
        self.cast = Cast(url)
        shared = {"cast": self.cast}
        super().__init__(
            [(r"/", Page), (r"/wait", Wait, shared), (r"/send", Send, shared)],
            template_path=Path(__file__).parent,
        )

    async def drain(self, deadline_s=30.0):
        """End with the server."""
        await super().drain(deadline_s)
        await self.cast.close()


class Page(RequestHandler):
    """The page."""

    def get(self):
        """Show it; what there is comes by the first poll."""
        self.render("index.html")


def make_app():
    """The application for `eyewall run`."""
    return Site()
