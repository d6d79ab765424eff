"""Who is alive, and what becomes of the requests of a worker that is not.

Fronts and workers count up in a hash. Everyone watches with a clock of their own, so that machines
need not agree on the time, and a clock that jumps declares nobody dead.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, final

from eyewall.base.log import gen_log
from eyewall.ops.dispatch.link import Link
from eyewall.ops.dispatch.wire import GROUP, Keys

_LOOK_S: Final = 1.0
_COUNT: Final = 100
_JUST_CLAIMED_MS: Final = 1000
"""What another worker has claimed so recently is its own."""

Rescued = Callable[[bytes, dict[bytes, bytes], int], None]


@final
class Rescue:
    """Watches fronts and workers, and claims the requests of dead workers.

    Args:
        link: The way to Redis.
        keys: Names of everything there.
        name: The worker that watches.
        claim_after_s: Seconds of silence after which somebody counts as dead.
        rescued: Called with the entry of a request, its fields, and how often it was given out.
        widowed: Called with a front that is no more.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        name: str,
        claim_after_s: float,
        rescued: Rescued,
        widowed: Callable[[str], None],
    ) -> None:
        self._link = link
        self._keys = keys
        self._name = name
        self._claim_after_s = claim_after_s
        self._rescued = rescued
        self._widowed = widowed
        self._looked = 0.0
        self._seen: dict[str, tuple[bytes, float]] = {}

    async def run(self) -> None:
        """Watch for ever."""
        pause_s = min(_LOOK_S, self._claim_after_s / 2)
        while True:
            await asyncio.sleep(pause_s)
            found: dict[bytes, bytes] = await self._link.ask("HGETALL", self._keys.alive)
            counts = {name.decode(errors="replace"): count for name, count in found.items()}
            for name in self._silent(counts, 2 * pause_s):
                if name in counts:
                    await self._bury(name)
                if name.startswith("front-"):
                    self._widowed(name)
                self._seen.pop(name, None)

    def _silent(self, counts: dict[str, bytes], longest_s: float) -> list[str]:
        """Those that have not counted up for too long, or are not there any more for as long."""
        now = asyncio.get_running_loop().time()
        was_away = now - self._looked > longest_s + _LOOK_S
        self._looked = now
        for name in counts.keys() | self._seen.keys():
            count = counts.get(name, b"")
            before = self._seen.get(name)
            # Whoever could not look, because Redis was away or the loop was stuck, knows nothing.
            if before is None or before[0] != count or was_away:
                self._seen[name] = (count, now)
        return [
            name
            for name, (_, since) in self._seen.items()
            if name != self._name and now - since > self._claim_after_s
        ]

    async def _bury(self, name: str) -> None:
        keys = self._keys
        if name.startswith("worker-"):
            if await self._claim_all(name):
                # Somebody else has just claimed the rest; it is looked at again.
                return
            gen_log.error("The worker %s has died; others take its requests", name)
            self._link.put(("XGROUP", "DELCONSUMER", keys.requests, GROUP, name))
        self._link.put(("HDEL", keys.alive, name))
        self._link.put(("HDEL", keys.sent, name))
        self._link.put(("DEL", keys.inbox(name)))

    async def _claim_all(self, worker: str) -> int:
        """Claim what a dead worker had; returns how many are left with it."""
        client, stream = self._link.client, self._keys.requests
        while True:
            pending = await self._link.repeat(
                lambda: client.xpending_range(stream, GROUP, "-", "+", _COUNT, worker)
            )
            if not pending:
                return 0
            tries = {each["message_id"]: each["times_delivered"] for each in pending}
            claimed: Any = await self._link.repeat(
                partial(client.xclaim, stream, GROUP, self._name, _JUST_CLAIMED_MS, list(tries))
            )
            for entry, fields in claimed:
                self._rescued(entry, fields or {}, tries[entry] + 1)
            if len(claimed) < len(pending):
                return len(pending) - len(claimed)
