"""Tornado: `tornado_peer.py PORT [routes-N]`."""

import asyncio
import logging
import sys

from answers import HELLO, LARGE, MESSAGE, page_of, route_count
from tornado.web import Application, RequestHandler

waiting = 0
event = asyncio.Event()


class Hello(RequestHandler):
    def get(self) -> None:
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
        global waiting
        waiting += 1
        await event.wait()
        self.write("news")


class Waiting(RequestHandler):
    def get(self) -> None:
        self.write(str(waiting))


class Event(RequestHandler):
    def get(self) -> None:
        event.set()
        self.write("done")


async def main(port: int, variant: str) -> None:
    logging.getLogger("tornado.access").disabled = True
    routes = [
        (r"/", Hello),
        (r"/json", Json),
        (r"/users/(\d+)/items", Items),
        (r"/echo", Echo),
        (r"/large", Large),
        (r"/wait", Wait),
        (r"/waiting", Waiting),
        (r"/event", Event),
    ]
    if count := route_count(variant):
        routes = [(rf"/route{number}/(\d+)", Number) for number in range(1000 - count, 1000)]
    Application(routes).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), "".join(sys.argv[2:])))
