"""Messages in Redis: for each room a sorted set of their numbers, for each message a hash."""

import json
import time

from redis import asyncio as redis

# KEYS: the message, ARGV: the voter. Read and written in one step.
_VOTE = """
local found = redis.call('HGET', KEYS[1], 'votes')
if not found then return nil end
local votes, kept, had = cjson.decode(found), {}, false
for _, name in ipairs(votes) do
  if name == ARGV[1] then had = true else kept[#kept + 1] = name end
end
if not had then kept[#kept + 1] = ARGV[1] end
redis.call('HSET', KEYS[1], 'votes', #kept == 0 and '[]' or cjson.encode(kept))
return 1
"""


class RedisStore:
    """Keeps messages in Redis."""

    def __init__(self, url):
        self._redis = redis.from_url(url, decode_responses=True)
        self._vote = self._redis.register_script(_VOTE)

    async def open(self):
        """See whether Redis is there."""
        await self._redis.ping()

    async def close(self):
        """Close the connections."""
        await self._redis.aclose()

    async def add(self, room, author, text):
        """Keep a message."""
        number = await self._redis.incr("chat:last")
        fields = {"author": author, "text": text, "time": time.time(), "votes": "[]"}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"chat:message:{room}:{number}", mapping=fields)
            pipe.zadd(f"chat:room:{room}", {str(number): number})
            pipe.sadd("chat:rooms", room)
            await pipe.execute()
        return _message(room, str(number), fields)

    async def vote(self, room, message, voter):
        """Vote, or take the vote back."""
        key = f"chat:message:{room}:{message}"
        if await self._vote(keys=[key], args=[voter]) is None:
            return None
        return _message(room, message, await self._redis.hgetall(key))

    async def page(self, room, limit, *, before=None, after=None):
        """Messages of a room, oldest first."""
        key = f"chat:room:{room}"
        if after is not None:
            low = f"({int(after)}"
            numbers = await self._redis.zrangebyscore(key, low, "+inf", start=0, num=limit)
        else:
            high = f"({int(before)}" if before else "+inf"
            numbers = await self._redis.zrevrangebyscore(key, high, "-inf", start=0, num=limit)
            numbers.reverse()
        async with self._redis.pipeline(transaction=False) as pipe:
            for number in numbers:
                pipe.hgetall(f"chat:message:{room}:{number}")
            found = await pipe.execute()
        return [
            _message(room, number, fields)
            for number, fields in zip(numbers, found, strict=True)
            if fields
        ]

    async def rooms(self):
        """The rooms."""
        return sorted(await self._redis.smembers("chat:rooms"))


def _message(room, number, fields):
    return {
        "id": number,
        "room": room,
        "author": fields["author"],
        "text": fields["text"],
        "time": float(fields["time"]),
        "votes": json.loads(fields["votes"]),
    }


def make(url):
    """The store of a Redis."""
    return RedisStore(url)
