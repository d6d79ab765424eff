"""Starlette on uvicorn with uvloop and httptools: `starlette_peer.py PORT [routes-N]`."""

import asyncio
import sys

from answers import HELLO, LARGE, MESSAGE, page_of, route_count
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn_peer import serve

waiting = 0
event = asyncio.Event()


async def hello(_: Request) -> Response:
    return PlainTextResponse(HELLO)


async def as_json(_: Request) -> Response:
    return JSONResponse(MESSAGE)


async def items(request: Request) -> Response:
    session = request.cookies.get("session", "")
    query = request.query_params
    page = page_of(request.path_params["user"], int(query["page"]), query["q"], session)
    response = JSONResponse(page)
    response.set_cookie("session", session, httponly=True)
    return response


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def large(_: Request) -> Response:
    return Response(LARGE)


async def number(request: Request) -> Response:
    return PlainTextResponse(str(request.path_params["number"]))


async def wait(_: Request) -> Response:
    global waiting
    waiting += 1
    await event.wait()
    return PlainTextResponse("news")


async def how_many(_: Request) -> Response:
    return PlainTextResponse(str(waiting))


async def happen(_: Request) -> Response:
    event.set()
    return PlainTextResponse("done")


def main(port: int, variant: str) -> None:
    routes = [
        Route("/", hello),
        Route("/json", as_json),
        Route("/users/{user:int}/items", items),
        Route("/echo", echo, methods=["POST"]),
        Route("/large", large),
        Route("/wait", wait),
        Route("/waiting", how_many),
        Route("/event", happen),
    ]
    if count := route_count(variant):
        routes = [Route(f"/route{n}/{{number:int}}", number) for n in range(1000 - count, 1000)]
    serve(Starlette(routes=routes), port)


if __name__ == "__main__":
    main(int(sys.argv[1]), "".join(sys.argv[2:]))
