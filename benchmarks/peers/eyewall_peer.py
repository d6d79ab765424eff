"""Eyewall: `eyewall_peer.py PORT bare|class|async|function|uvloop|routes-N`."""

import asyncio
import sys
from functools import partial
from typing import Any

from answers import HELLO, LARGE, MESSAGE, page_of, route_count

from eyewall.http.server import HTTPServer
from eyewall.web import Application, RequestHandler

TEXT = {"Content-Type": "text/plain; charset=utf-8"}
BINARY = {"Content-Type": "application/octet-stream"}

waiting: list[Any] = []
event = asyncio.Event()


def bare(exchange: Any) -> None:
    """The engine's exchange, with no framework above it."""
    path = exchange.path
    if path == "/":
        exchange.respond(200, TEXT, HELLO)
    elif path == "/echo":
        body = exchange.read_all(partial(exchange.respond, 200, BINARY))
        if body is not None:
            exchange.respond(200, BINARY, body)
    elif path == "/large":
        exchange.respond(200, BINARY, LARGE)
    elif path == "/wait":
        waiting.append(exchange)
    elif path == "/waiting":
        exchange.respond(200, TEXT, str(len(waiting)))
    else:
        for other in waiting:
            other.respond(200, TEXT, "news")
        exchange.respond(200, TEXT, "done")


class Hello(RequestHandler):
    def get(self) -> None:
        self.write(HELLO)


class AsyncHello(RequestHandler):
    async def get(self) -> None:
        self.write(HELLO)


class Json(RequestHandler):
    def get(self) -> None:
        self.write(MESSAGE)


class Items(RequestHandler):
    def get(self, user: str) -> None:
        session = self.get_cookie("session", "") or ""
        self.set_cookie("session", session, httponly=True)
        page = int(self.get_argument("page"))
        self.write(page_of(int(user), page, self.get_argument("q"), session))


class AsyncItems(Items):
    async def get(self, user: str) -> None:  # type: ignore[override]  # the life cycle takes both
        super().get(user)


class Echo(RequestHandler):
    def post(self) -> None:
        self.write(self.request.body)


class Large(RequestHandler):
    def get(self) -> None:
        self.write(LARGE)


class Number(RequestHandler):
    def get(self, number: str) -> None:
        self.write(number)


class Wait(RequestHandler):
    async def get(self) -> None:
        waiting.append(self)
        await event.wait()
        self.write("news")


class Waiting(RequestHandler):
    def get(self) -> None:
        self.write(str(len(waiting)))


class Event(RequestHandler):
    def get(self) -> None:
        event.set()
        self.write("done")


def function(_: Any) -> str:
    return HELLO


def function_json(_: Any) -> dict[str, str]:
    return MESSAGE


def application(variant: str) -> Any:
    """What serves; access logs are off, as everywhere."""
    if variant == "bare":
        return bare
    routes: list[tuple[str, Any]] = [
        (r"/", {"async": AsyncHello, "function": function}.get(variant, Hello)),
        (r"/json", function_json if variant == "function" else Json),
        (r"/users/(\d+)/items", AsyncItems if variant == "async" else Items),
        (r"/echo", Echo),
        (r"/large", Large),
        (r"/wait", Wait),
        (r"/waiting", Waiting),
        (r"/event", Event),
    ]
    if count := route_count(variant):
        routes = [(rf"/route{number}/(\d+)", Number) for number in range(1000 - count, 1000)]
    return Application(routes, access_log=False)


async def main(port: int, variant: str) -> None:
    HTTPServer(application(variant)).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[2] == "uvloop":
        import uvloop

        uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
    else:
        asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
