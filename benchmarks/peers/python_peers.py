"""The Python peers: `python_peers.py NAME PORT` serves until it is ended.

Each serves the same paths: / (text), /json, /users/N/items (realistic), /echo, /large. Access
logs are off everywhere.
"""

import asyncio
import json
import logging
import re
import sys
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

LARGE = b"x" * (1 << 20)
USERS = re.compile(r"/users/(\d+)/items$")


def items(user, page, q, session):
    return {
        "user": user,
        "page": page,
        "q": q,
        "session": session,
        "items": [{"id": number, "name": f"item {number}"} for number in range(5)],
    }


def tornado(port):
    import tornado.web

    logging.getLogger("tornado.access").disabled = True

    class Hello(tornado.web.RequestHandler):
        def get(self):
            self.write("Hello, world")

    class Json(tornado.web.RequestHandler):
        def get(self):
            self.write({"message": "Hello, world"})

    class Items(tornado.web.RequestHandler):
        def get(self, user):
            session = self.get_cookie("session", "")
            self.set_cookie("session", session, httponly=True)
            page = int(self.get_argument("page", "1"))
            self.write(items(user, page, self.get_argument("q", ""), session))

    class Echo(tornado.web.RequestHandler):
        def post(self):
            self.write(self.request.body)

    class Large(tornado.web.RequestHandler):
        def get(self):
            self.write(LARGE)

    async def main():
        app = tornado.web.Application(
            [
                (r"/", Hello),
                (r"/json", Json),
                (r"/users/(\d+)/items", Items),
                (r"/echo", Echo),
                (r"/large", Large),
            ]
        )
        app.listen(port, "127.0.0.1")
        await asyncio.Event().wait()

    asyncio.run(main())


async def raw_asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    path, kind = scope["path"], b"text/plain; charset=utf-8"
    body, more = b"Hello, world", []
    if path == "/echo":
        pieces = []
        while True:
            event = await receive()
            pieces.append(event.get("body", b""))
            if not event.get("more_body"):
                break
        body = b"".join(pieces)
    elif path == "/large":
        body = LARGE
    elif path == "/json":
        body, kind = json.dumps({"message": "Hello, world"}).encode(), b"application/json"
    elif match := USERS.match(path):
        query = parse_qs(scope["query_string"].decode())
        cookies = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode())
        session = cookies["session"].value if "session" in cookies else ""
        more = [(b"set-cookie", f"session={session}; Path=/; HttpOnly".encode())]
        page = int(query.get("page", ["1"])[0])
        body = json.dumps(items(match[1], page, query.get("q", [""])[0], session)).encode()
        kind = b"application/json"
    length = str(len(body)).encode()
    headers = [(b"content-type", kind), (b"content-length", length), *more]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve_uvicorn(app, port):
    import uvicorn

    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools",
        access_log=False, log_level="error", lifespan="off",
    )  # fmt: skip


def uvicorn_raw(port):
    serve_uvicorn(raw_asgi, port)


def starlette(port):
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    async def hello(request):
        return PlainTextResponse("Hello, world")

    async def as_json(request):
        return JSONResponse({"message": "Hello, world"})

    async def realistic(request):
        session = request.cookies.get("session", "")
        query = request.query_params
        page = int(query.get("page", "1"))
        user = request.path_params["user"]
        response = JSONResponse(items(str(user), page, query.get("q", ""), session))
        response.set_cookie("session", session, httponly=True)
        return response

    async def echo(request):
        return Response(await request.body())

    async def large(request):
        return Response(LARGE)

    routes = [
        Route("/", hello),
        Route("/json", as_json),
        Route("/users/{user:int}/items", realistic),
        Route("/echo", echo, methods=["POST"]),
        Route("/large", large),
    ]
    serve_uvicorn(Starlette(routes=routes), port)


def aiohttp(port):
    from aiohttp import web

    async def hello(request):
        return web.Response(text="Hello, world")

    async def as_json(request):
        return web.json_response({"message": "Hello, world"})

    async def realistic(request):
        session = request.cookies.get("session", "")
        query = request.query
        page = int(query.get("page", "1"))
        user = request.match_info["user"]
        response = web.json_response(items(user, page, query.get("q", ""), session))
        response.set_cookie("session", session, httponly=True)
        return response

    async def echo(request):
        return web.Response(body=await request.read())

    async def large(request):
        return web.Response(body=LARGE)

    app = web.Application()
    app.add_routes(
        [
            web.get("/", hello),
            web.get("/json", as_json),
            web.get(r"/users/{user:\d+}/items", realistic),
            web.post("/echo", echo),
            web.get("/large", large),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


class Rsgi:
    async def __rsgi__(self, scope, protocol):
        path, kind, more = scope.path, "text/plain; charset=utf-8", []
        body = b"Hello, world"
        if path == "/echo":
            body = await protocol()
        elif path == "/large":
            body = LARGE
        elif path == "/json":
            body, kind = json.dumps({"message": "Hello, world"}).encode(), "application/json"
        elif match := USERS.match(path):
            query = parse_qs(scope.query_string)
            cookies = SimpleCookie(scope.headers.get("cookie") or "")
            session = cookies["session"].value if "session" in cookies else ""
            more = [("set-cookie", f"session={session}; Path=/; HttpOnly")]
            page = int(query.get("page", ["1"])[0])
            body = json.dumps(items(match[1], page, query.get("q", [""])[0], session)).encode()
            kind = "application/json"
        protocol.response_bytes(200, [("content-type", kind), *more], body)


rsgi = Rsgi()


def granian(port):
    from granian import Granian
    from granian.constants import Interfaces

    Granian(
        "python_peers:rsgi", address="127.0.0.1", port=port, interface=Interfaces.RSGI,
        log_enabled=False, workers=1,
    ).serve()  # fmt: skip


def eyewall(kind, port):
    from eyewall.http.server import HTTPServer
    from eyewall.web import Application, RequestHandler

    plain = {"Content-Type": "text/plain; charset=utf-8"}

    def bare(exchange):
        path = exchange.path
        if path == "/echo":

            def arrived(body):
                exchange.respond(200, plain, body)

            body = exchange.read_all(arrived)
            if body is not None:
                arrived(body)
        elif path == "/large":
            exchange.respond(200, plain, LARGE)
        else:
            exchange.respond(200, plain, b"Hello, world")

    class Hello(RequestHandler):
        def get(self):
            self.write("Hello, world")

    class AsyncHello(RequestHandler):
        async def get(self):
            self.write("Hello, world")

    class Json(RequestHandler):
        def get(self):
            self.write({"message": "Hello, world"})

    class Items(RequestHandler):
        def get(self, user):
            session = self.get_cookie("session", "")
            self.set_cookie("session", session, httponly=True)
            page = int(self.get_argument("page", "1"))
            self.write(items(user, page, self.get_argument("q", ""), session))

    class Echo(RequestHandler):
        def post(self):
            self.write(self.request.body)

    class Large(RequestHandler):
        def get(self):
            self.write(LARGE)

    def function(request):
        return "Hello, world"

    waiting = []

    def wait(exchange):
        if exchange.path == "/event":
            for other in waiting:
                other.respond(200, plain, b"news")
            waiting.clear()
            exchange.respond(200, plain, b"done")
        else:
            waiting.append(exchange)

    hello = {"class": Hello, "async": AsyncHello, "function": function}.get(kind, Hello)
    routes = [
        (r"/", hello),
        (r"/json", Json),
        (r"/users/(\d+)/items", Items),
        (r"/echo", Echo),
        (r"/large", Large),
    ]
    if kind == "routes":
        routes = [(rf"/route{number}/(\d+)", Hello) for number in range(1000)] + routes
    app = {"bare": bare, "wait": wait}.get(kind) or Application(routes, access_log=False)

    async def main():
        HTTPServer(app).listen(port, "127.0.0.1")
        await asyncio.Event().wait()

    asyncio.run(main())


def main():
    name, port = sys.argv[1], int(sys.argv[2])
    if name.startswith("eyewall-"):
        eyewall(name.removeprefix("eyewall-"), port)
    else:
        {
            "tornado": tornado,
            "uvicorn": uvicorn_raw,
            "starlette": starlette,
            "aiohttp": aiohttp,
            "granian": granian,
        }[name](port)


if __name__ == "__main__":
    main()
