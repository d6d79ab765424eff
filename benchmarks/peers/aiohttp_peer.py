"""aiohttp's server: `aiohttp_peer.py PORT [routes-N]`."""

import asyncio
import sys

from aiohttp import web
from answers import HELLO, LARGE, MESSAGE, page_of, route_count

waiting = 0
event = asyncio.Event()


async def hello(_: web.Request) -> web.Response:
    return web.Response(text=HELLO)


async def as_json(_: web.Request) -> web.Response:
    return web.json_response(MESSAGE)


async def items(request: web.Request) -> web.Response:
    session = request.cookies.get("session", "")
    user, query = int(request.match_info["user"]), request.query
    response = web.json_response(page_of(user, int(query["page"]), query["q"], session))
    response.set_cookie("session", session, httponly=True)
    return response


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def large(_: web.Request) -> web.Response:
    return web.Response(body=LARGE)


async def number(request: web.Request) -> web.Response:
    return web.Response(text=request.match_info["number"])


async def wait(_: web.Request) -> web.Response:
    global waiting
    waiting += 1
    await event.wait()
    return web.Response(text="news")


async def how_many(_: web.Request) -> web.Response:
    return web.Response(text=str(waiting))


async def happen(_: web.Request) -> web.Response:
    event.set()
    return web.Response(text="done")


def main(port: int, variant: str) -> None:
    app = web.Application()
    routes = [
        web.get("/", hello),
        web.get("/json", as_json),
        web.get(r"/users/{user:\d+}/items", items),
        web.post("/echo", echo),
        web.get("/large", large),
        web.get("/wait", wait),
        web.get("/waiting", how_many),
        web.get("/event", happen),
    ]
    if count := route_count(variant):
        pattern = r"/{number:\d+}"
        routes = [web.get(f"/route{n}{pattern}", number) for n in range(1000 - count, 1000)]
    app.add_routes(routes)
    web.run_app(
        app, host="127.0.0.1", port=port, access_log=None, print=None, keepalive_timeout=300
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), "".join(sys.argv[2:]))
