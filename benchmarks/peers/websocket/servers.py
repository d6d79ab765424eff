"""The servers that `websocket.py` measures: `servers.py KIND TASK BYTES`; prints its port.

TASK is "echo", or "broadcast": a text of one digit asks for so many messages to all, or
"deflate": the same, compressed.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from typing import Any


def text_of(task: str, size: int) -> str:
    """The message that is sent to all."""
    if task != "deflate":
        return "x" * size
    return json.dumps([{"id": number, "name": f"user {number}"} for number in range(size // 32)])


def ready(port: int) -> None:
    """Say where the server listens."""
    print(port, flush=True)


def listening() -> socket.socket:
    """A socket that listens on a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=4096)


async def eyewall(task: str, text: str) -> None:
    """`WebSocketHandler`, and the engine's `Fanout`."""
    from eyewall._engine import Fanout, Reactor
    from eyewall.http.server.server import HTTPServer
    from eyewall.realtime import WebSocketHandler
    from eyewall.web import Application

    everybody = Fanout(Reactor.of(asyncio.get_running_loop()))

    class Echo(WebSocketHandler):
        def on_message(self, message: str | bytes) -> None:
            self.write_message(message)

    class Broadcast(WebSocketHandler):
        def get_compression_options(self) -> dict[str, Any] | None:
            return {} if task == "deflate" else None

        def open(self) -> None:
            everybody.add(self._socket)

        def on_message(self, message: str | bytes) -> None:
            for _ in range(int(message)):
                everybody.send(text)

    handler = Echo if task == "echo" else Broadcast
    server = HTTPServer(Application([("/", handler)], access_log=False))
    (sock,) = server.listen(0, "127.0.0.1")
    ready(sock.getsockname()[1])
    await asyncio.Event().wait()


async def picows(task: str, text: str) -> None:
    """Its listener, with a loop over the transports to send to all."""
    import picows

    transports: list[Any] = []
    data = text.encode()

    class Listener(picows.WSListener):
        def on_ws_connected(self, transport: Any) -> None:
            transports.append(transport)

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if task == "echo":
                transport.send(frame.msg_type, frame.get_payload_as_bytes())
                return
            for _ in range(int(frame.get_payload_as_utf8_text())):
                for other in transports:
                    other.send(picows.WSMsgType.TEXT, data)

    server = await picows.ws_create_server(lambda _request: Listener(), "127.0.0.1", 0)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def tornado(task: str, text: str) -> None:
    """`WebSocketHandler`, with a loop over the handlers to send to all."""
    from tornado.httpserver import HTTPServer
    from tornado.web import Application
    from tornado.websocket import WebSocketHandler

    handlers: list[Any] = []

    class Handler(WebSocketHandler):
        def get_compression_options(self) -> dict[str, Any] | None:
            return {} if task == "deflate" else None

        def open(self, *_args: str, **_kwargs: str) -> None:
            handlers.append(self)

        def on_message(self, message: str | bytes) -> None:
            if task == "echo":
                self.write_message(message)
                return
            for _ in range(int(message)):
                for other in handlers:
                    other.write_message(text)

    server = HTTPServer(Application([("/", Handler)], log_function=lambda _handler: None))
    sock = listening()
    sock.setblocking(False)
    server.add_socket(sock)
    ready(sock.getsockname()[1])
    await asyncio.Event().wait()


async def websockets(task: str, text: str) -> None:
    """Its asyncio server, with `broadcast` to send to all."""
    from websockets.asyncio.server import broadcast, serve

    connections: set[Any] = set()

    async def handler(connection: Any) -> None:
        connections.add(connection)
        async for message in connection:
            if task == "echo":
                await connection.send(message)
            else:
                for _ in range(int(message)):
                    broadcast(connections, text)

    compression = "deflate" if task == "deflate" else None
    server = await serve(handler, sock=listening(), compression=compression, ping_interval=None)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def aiohttp(task: str, text: str) -> None:
    """Its web server, with a loop over the responses to send to all."""
    from aiohttp import web

    responses: list[Any] = []

    async def handler(request: Any) -> Any:
        response = web.WebSocketResponse(compress=task == "deflate")
        await response.prepare(request)
        responses.append(response)
        async for message in response:
            if task == "echo":
                await response.send_str(message.data)
            else:
                for _ in range(int(message.data)):
                    for other in responses:
                        await other.send_str(text)
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    sock = listening()
    await web.SockSite(runner, sock).start()
    ready(sock.getsockname()[1])
    await asyncio.Event().wait()


KINDS: dict[str, Callable[[str, str], Any]] = {
    "eyewall": eyewall,
    "picows": picows,
    "tornado": tornado,
    "websockets": websockets,
    "aiohttp": aiohttp,
}

if __name__ == "__main__":
    kind, task, size = sys.argv[1:4]
    name, _, loop = kind.partition("+")
    run = asyncio.run
    if loop == "uvloop":
        import uvloop

        run = uvloop.run
    run(KINDS[name](task, text_of(task, int(size))))
