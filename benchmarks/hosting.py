"""Programs of other frameworks: `hosting.py`, Flask and Starlette beside the servers made for them.

Each server runs alone on a core, wrk on the other; they take turns, and medians are compared.
Those that are not installed are left out. `hosting.py SECONDS ROUNDS` changes how long it takes.
"""

import asyncio
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

from harness import serving, take_load_core
from prepare import only_run
from servers import Server
from static import compare
from workloads import Workload

HELLO = b"Hello, world!"
OWN = (sys.executable, str(Path(__file__).resolve()))


def flask_app() -> Any:
    """The Flask program."""
    import flask

    app = flask.Flask("hello")

    @app.get("/")
    def hello() -> bytes:
        return HELLO

    @app.get("/slow")
    def slow() -> bytes:
        time.sleep(2)
        return HELLO

    return app


def starlette_app() -> Any:
    """The Starlette program."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(_: Any) -> PlainTextResponse:
        return PlainTextResponse(HELLO)

    async def slow(_: Any) -> PlainTextResponse:
        await asyncio.sleep(2)
        return PlainTextResponse(HELLO)

    return Starlette(routes=[Route("/", hello), Route("/slow", slow)])


def serve(kind: str, port: int) -> None:
    """Serve one of the programs with one of the servers."""
    # Servers that import the program by its name look here.
    os.chdir(Path(__file__).parent)
    server, _, interface = kind.partition("-")
    if server == "eyewall":
        from eyewall.hosting import ASGIContainer, WSGIContainer
        from eyewall.http.server import HTTPServer
        from eyewall.loop.policy import new_event_loop

        threaded = WSGIContainer(flask_app(), threads=100)
        app = threaded if interface == "wsgi" else ASGIContainer(starlette_app())
        loop = new_event_loop("uvloop" if interface.endswith("uvloop") else "asyncio")
        asyncio.set_event_loop(loop)

        async def main() -> None:
            HTTPServer(app).listen(port, "127.0.0.1")
            await asyncio.Event().wait()

        loop.run_until_complete(main())
    elif server == "uvicorn":
        import uvicorn

        uvicorn.run(
            starlette_app(), port=port, log_level="critical", access_log=False, loop="uvloop",
            http="httptools",
        )  # fmt: skip
    elif server == "granian":
        from granian import Granian
        from granian.constants import Interfaces

        Granian(
            f"hosting:{'flask' if interface == 'wsgi' else 'starlette'}_app",
            address="127.0.0.1", port=port, factory=True, workers=1, log_enabled=False,
            interface=Interfaces.WSGI if interface == "wsgi" else Interfaces.ASGI,
        ).serve()  # fmt: skip
    else:
        os.execv(sys.executable, [
            sys.executable, "-m", "gunicorn", "hosting:flask_app()", "-b", f"127.0.0.1:{port}",
            "--log-level", "critical", "-k", interface, "-w", "1", "--threads", "100",
            "--keep-alive", "75",
        ])  # fmt: skip


def found(kinds: list[tuple[str, str, str]]) -> list[Server]:
    """Those servers that are installed: (name, kind, module)."""
    return [
        Server(name, (*OWN, kind))
        for name, kind, module in kinds
        if importlib.util.find_spec(module)
    ]


WSGI = [
    ("Eyewall", "eyewall-wsgi", "flask"),
    ("gunicorn sync", "gunicorn-sync", "gunicorn"),
    ("gunicorn gthread", "gunicorn-gthread", "gunicorn"),
    ("Granian WSGI", "granian-wsgi", "granian"),
]
ASGI = [
    ("Eyewall", "eyewall-asgi", "starlette"),
    ("Eyewall on uvloop", "eyewall-asgi-uvloop", "uvloop"),
    ("uvicorn", "uvicorn-asgi", "uvicorn"),
    ("Granian ASGI", "granian-asgi", "granian"),
]


async def ask_slow(port: int, requests: int, at_once: int) -> float:
    """Seconds that so many requests take, each answered after two seconds."""

    async def client(times: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(times):
            writer.write(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(head)
            await reader.readexactly(len(HELLO))
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client(requests // at_once) for _ in range(at_once)))
    return time.perf_counter() - began


def slow_table(servers: list[Server]) -> None:
    """Print how near each server comes to the 50 requests/s that are possible."""
    print("\n1,000 requests, 100 at a time, each answered after 2 s (50 requests/s are possible)\n")
    print("| server | requests/s |")
    print("| --- | --- |")
    for server in servers:
        with serving(server) as (port, _):
            took = asyncio.run(ask_slow(port, 1000, 100))
        print(f"| {server.name} | {1000 / took:.2f} |")


def main(seconds: int = 4, rounds: int = 5) -> int:
    """Measure all."""
    flask = Workload("wsgi", "Flask hello, 64 connections", "wrk", ("-c64",), "/", "", HELLO)
    closing = Workload(
        "close", "Flask hello, a connection for each request", "wrk",
        ("-c64", "-H", "Connection: close"), "/", "", HELLO,
    )  # fmt: skip
    star = Workload("asgi", "Starlette hello, 64 connections", "wrk", ("-c64",), "/", "", HELLO)
    with only_run():
        take_load_core()
        wsgi, asgi = found(WSGI), found(ASGI)
        compare(flask, [each for each in wsgi if "sync" not in each.name], seconds, rounds)
        # gunicorn's sync workers keep no connection.
        compare(closing, [each for each in wsgi if "Gran" not in each.name], seconds, rounds)
        compare(star, asgi, seconds, rounds)
        slow_table([server for server in (*wsgi, *asgi) if "sync" not in server.name])
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 3 and not sys.argv[1].isdigit():
        serve(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
