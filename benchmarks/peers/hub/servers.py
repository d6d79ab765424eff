"""The servers that `hub.py` measures: `servers.py KIND [URL]`; prints its port.

KIND is what members connect by: "events", "websocket" or "poll"; or "inside": 1,000 subscribers in
the process itself. `POST /publish` with a number publishes so many messages, each in a turn of its
own; `POST /stamp` so many with the time of now, one every 200 ms; `GET /delays` are the seconds from
there to each subscriber inside.
"""

import asyncio
import sys
import time
from typing import Any

from eyewall.http.server.server import HTTPServer
from eyewall.pubsub import Callback, Hub
from eyewall.realtime import EventSourceHandler, LongPollHandler, WebSocketGroup, WebSocketHandler
from eyewall.web import Application, RequestHandler

TOPIC = "news"
TEXT = "x" * 68


async def main(kind: str, url: str | None) -> None:
    """Serve for ever."""
    hub = Hub(url)
    await hub.start()

    class Events(EventSourceHandler):
        def topics(self) -> list[str]:
            return [TOPIC]

    class Poll(LongPollHandler):
        timeout_s = 600.0

        def topics(self) -> list[str]:
            return [TOPIC]

    Events.hub = Poll.hub = hub
    handlers: dict[str, Any] = {"events": Events, "poll": Poll}
    if kind == "websocket":
        group = WebSocketGroup()

        class Socket(WebSocketHandler):
            def get_compression_options(self) -> dict[str, Any] | None:
                return None

            def open(self) -> None:
                group.add(self)

        def deliver(batch: Any) -> None:
            for message in batch:
                group.send(message.envelope.decode())

        await hub.subscribe(TOPIC, reader=Callback(deliver))
        handlers["websocket"] = Socket

    class Publish(RequestHandler):
        async def post(self) -> None:
            for _ in range(int(self.request.body)):
                await hub.publish(TOPIC, TEXT)
                await asyncio.sleep(0)

    class Stamp(RequestHandler):
        async def post(self) -> None:
            for _ in range(int(self.request.body)):
                await hub.publish(TOPIC, time.time())
                await asyncio.sleep(0.2)

    delays: list[float] = []

    class Delays(RequestHandler):
        def get(self) -> None:
            self.write({"delays": delays})

    if kind == "inside":

        def note(batch: Any) -> None:
            now = time.time()
            delays.extend([now - message.data for message in batch])

        for _ in range(1000):
            await hub.subscribe(TOPIC, reader=Callback(note))
        handlers["inside"] = Delays
    routes: list[Any] = [("/publish", Publish), ("/stamp", Stamp), ("/", handlers[kind])]
    server = HTTPServer(Application(routes, access_log=False))
    (sock,) = server.listen(0, "127.0.0.1")
    print(sock.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
