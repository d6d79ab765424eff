"""`DispatchServer`: takes requests from the stream, has the application serve them, acknowledges."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, final

from eyewall.base.log import gen_log
from eyewall.ops.dispatch.exchange import DispatchedExchange
from eyewall.ops.dispatch.front import BEAT_S, own_name
from eyewall.ops.dispatch.link import BLOCK_MS, Link, entries
from eyewall.ops.dispatch.rescue import Rescue
from eyewall.ops.dispatch.wire import GROUP, IDEMPOTENT, AnswerHead, Frame, FrameError, Head, Keys

_TAKE: Final = 32
_TAKEN_S: Final = 0.02
"""A request that is not answered so soon is announced to its front as taken."""
_MOST_TRIES: Final = 3


@final
class DispatchServer:
    """Serves requests of the stream; it has what an `HTTPServer` has for gate and control socket.

    Args:
        app: Called with each exchange.
        url: The Redis.
        keys: Names of everything there.
        concurrency: Requests that are worked on at once.
        claim_after_s: Seconds of silence after which another worker counts as dead.
    """

    def __init__(
        self,
        app: Callable[[Any], object],
        url: str,
        keys: Keys,
        concurrency: int = 1000,
        claim_after_s: float = 10.0,
    ) -> None:
        self.app = app
        self.name = own_name("worker")
        self._keys = keys
        self._link = Link(url)
        self._concurrency = concurrency
        self._rescue = Rescue(
            self._link, keys, self.name, claim_after_s, self._rescued, self._widowed
        )
        self._to: Callable[[Any], object] = app
        self._running: dict[str, DispatchedExchange] = {}
        self._unacknowledged: set[bytes] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._taking: asyncio.Task[None] | None = None
        self._taker: Any = None
        self._taker_id: int | None = None
        self._stopping = False
        self._requests = self._refused = 0

    async def start(self) -> None:
        """Take requests from now on.

        Raises:
            StartupError: Redis cannot be reached.
        """
        await self._link.start()
        await self._make_group()
        await self._link.ask("HINCRBY", self._keys.alive, self.name, 1)
        self._taking = asyncio.ensure_future(self._take())
        heard = self._link.follow(self._keys.inbox(self.name), self._pass_on)
        self._tasks = [
            asyncio.ensure_future(work) for work in (heard, self._beat(), self._rescue.run())
        ]

    async def _make_group(self) -> None:
        async def make() -> None:
            try:
                stream = self._keys.requests
                await self._link.client.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except self._link.errors as exc:
                if "BUSYGROUP" not in str(exc):
                    raise

        await self._link.repeat(make)

    # What gate, control socket and command ask for

    def divert(self, to: Callable[[Any], object] | None) -> None:
        """Give exchanges to another function than the application; None ends that."""
        self._to = to or self.app

    def stats(self) -> dict[str, int]:
        """`connections` and `exchanges` under way, `requests` and `refused` so far."""
        running = len(self._running)
        return {
            "connections": running,
            "exchanges": running,
            "requests": self._requests,
            "refused": self._refused,
        }

    def stop(self) -> None:
        """Take no more requests; those that are taken go on."""
        if not self._stopping:
            self._stopping = True
            self._room.set()
            if self._taker_id is not None:
                # It waits for requests, and gets those that come at this moment.
                self._link.put(("CLIENT", "UNBLOCK", self._taker_id))

    async def drain(self, deadline_s: float = 30.0) -> None:
        """Take no more, and return when all are answered, or the time is up."""
        self.stop()
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        for exchange in self._running.values():
            if exchange.socket is not None:
                exchange.socket.close(1012, "the server restarts")
        if self._taking is not None:
            await asyncio.wait({self._taking}, timeout=deadline_s)
        try:
            async with asyncio.timeout_at(end):
                await self._idle.wait()
        except TimeoutError:
            gen_log.warning("%d dispatched requests were not finished in time", len(self._running))
        await self._leave()

    async def _leave(self) -> None:
        """Say goodbye; whatever is still pending stays with the group, for others to claim."""
        if not self._running:
            self._link.put(("XGROUP", "DELCONSUMER", self._keys.requests, GROUP, self.name))
            self._link.put(("HDEL", self._keys.alive, self.name))
            self._link.put(("DEL", self._keys.inbox(self.name)))
        await self._link.flushed(2.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._link.close()

    def close(self) -> None:
        """End at once."""
        for task in (self._taking, *self._tasks):
            if task is not None:
                task.cancel()

    # Requests

    async def _take(self) -> None:
        client = self._taker = self._link.reader()
        # After an error, first what was given to us and never came: "0" means that.
        start, is_new = "0", True
        while not self._stopping:
            await self._room.wait()
            count = min(_TAKE, self._concurrency - len(self._running))
            if self._stopping or count <= 0:
                self._room.clear()
                continue
            try:
                if is_new:
                    self._taker_id = int(await client.client_id())
                    is_new = False
                found = entries(
                    await client.execute_command(
                        "XREADGROUP", "GROUP", GROUP, self.name, "COUNT", count,
                        "BLOCK", BLOCK_MS, "STREAMS", self._keys.requests, start,
                    )
                )  # fmt: skip
            except self._link.errors as exc:
                start, is_new, self._taker_id = "0", True, None
                if "NOGROUP" in str(exc):
                    await self._make_group()
                    continue
                self._link.note(exc)
                await asyncio.sleep(0.1)
                continue
            for entry, fields in found:
                self._begin(entry, fields)
            start = ">" if start == ">" or len(found) < count else found[-1][0].decode()

    def _begin(self, entry: bytes, fields: dict[bytes, bytes], tries: int = 1) -> None:
        try:
            request, front = fields[b"r"].decode(), fields[b"f"].decode()
            head = Head.decode(fields[b"h"])
        except (FrameError, KeyError, ValueError) as exc:
            if fields:
                gen_log.error("A request on the stream was refused: %.200s", exc)
                self._refused += 1
            self._acknowledge(entry)
            return
        if request in self._running or entry in self._unacknowledged:
            return
        exchange = DispatchedExchange(self, entry, request, front, head, fields.get(b"d", b""))
        if tries > 1 and (head.method not in IDEMPOTENT or tries > _MOST_TRIES):
            self._give_up(exchange)
            return
        self._requests += 1
        self._running[request] = exchange
        self._idle.clear()
        if tries > 1 or head.body == "pieces":
            exchange.say("taken")
        else:
            asyncio.get_running_loop().call_later(_TAKEN_S, self._announce, exchange)
        self._serve(exchange)

    def _announce(self, exchange: DispatchedExchange) -> None:
        if self._running.get(exchange.request) is exchange and not exchange.responded:
            exchange.say("taken")

    def _serve(self, exchange: DispatchedExchange) -> None:
        try:
            self._to(exchange)
        except Exception as exc:  # noqa: BLE001 - as the engine does with what an application raises
            context = {"message": "Exception in a dispatched request", "exception": exc}
            asyncio.get_running_loop().call_exception_handler(context)
            if not exchange.responded:
                exchange.respond(500, {"Content-Type": "text/plain"}, b"Internal Server Error\n")

    def _rescued(self, entry: bytes, fields: dict[bytes, bytes], tries: int) -> None:
        """Another worker has died over this request."""
        self._begin(entry, fields, tries)

    def _widowed(self, front: str) -> None:
        """A front is no more, and with it its clients."""
        for exchange in [each for each in self._running.values() if each.front == front]:
            exchange.leave()

    def _give_up(self, exchange: DispatchedExchange) -> None:
        gen_log.error(
            "A worker died over %s %s, which is answered 502", exchange.method, exchange.path[:200]
        )
        self._link.put(("HINCRBY", self._keys.counts, "lost", 1))
        head = AnswerHead(502, None, [("Content-Type", "text/plain")])
        frame = Frame(
            "answer", exchange.request, self.name, 1, b"the worker was lost\n", head.more()
        )
        self.finish(exchange, frame)

    # Answers

    def say(self, front: str, frame: Frame) -> None:
        """Send a frame to a front's inbox, when that front is still there."""
        self._link.put(self._xadd(front, frame))

    def _xadd(self, front: str, frame: Frame) -> tuple[Any, ...]:
        fields = [part for pair in frame.encode().items() for part in pair]
        return ("XADD", self._keys.inbox(front), "*", *fields)

    def finish(self, exchange: DispatchedExchange, last: Frame | None) -> None:
        """A request is over: its last frame goes out together with the acknowledgement."""
        if self._running.get(exchange.request) is exchange:
            del self._running[exchange.request]
        self._acknowledge(
            exchange.entry, *([] if last is None else [self._xadd(exchange.front, last)])
        )
        self._room.set()
        if not self._running:
            self._idle.set()

    def _acknowledge(self, entry: bytes, *first: tuple[Any, ...]) -> None:
        self._unacknowledged.add(entry)
        stream = self._keys.requests
        self._link.put(
            *first,
            ("XACK", stream, GROUP, entry),
            ("XDEL", stream, entry),
            then=lambda _: self._unacknowledged.discard(entry),
        )

    def _pass_on(self, fields: dict[bytes, bytes]) -> None:
        try:
            frame = Frame.decode(fields)
            exchange = self._running.get(frame.request)
            if exchange is not None and exchange.front == frame.sender:
                exchange.hear(frame)
        except (FrameError, ValueError) as exc:
            gen_log.warning("A frame of a front was ignored: %.200s", exc)

    async def _beat(self) -> None:
        while True:
            self._link.put(("HINCRBY", self._keys.alive, self.name, 1))
            await asyncio.sleep(BEAT_S)
