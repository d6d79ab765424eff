"""What the servers are asked, with what load, and what the right answer is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELLO = b"Hello, world"
LARGE = b"x" * (1 << 20)
POSTED = b"x" * (1 << 16)
COOKIE = "session=5f3759df"
# What a peer must answer to the realistic request: about 300 bytes.
PAGE = {
    "user": 7,
    "page": 2,
    "q": "hat",
    "session": "5f3759df",
    "items": [{"id": n, "name": f"hat {n}", "price": n * 100} for n in range(10, 16)],
}


class WrongAnswerError(Exception):
    """A peer does not do what the others do, so its speed would say nothing."""


@dataclass(frozen=True)
class Workload:
    """One question to all servers.

    Args:
        key: Its name on the command line.
        title: Its heading in the results.
        tool: The load generator, "wrk" or "h2load".
        arguments: What the generator is given besides duration and address.
        path: The request target.
        kind: What the answer's `Content-Type` begins with; "" for any.
        body: The answer's body; JSON is compared as a value.
        posted: The request's body; None for GET.
        cookie: Whether a cookie goes in and must come out.
        reference: The server whose cost is 1 in the column "to Eyewall".
    """

    key: str
    title: str
    tool: str
    arguments: tuple[str, ...]
    path: str
    kind: str
    body: bytes | dict[str, Any]
    posted: bytes | None = None
    cookie: bool = False
    reference: str = "Eyewall, class"

    def command(self, port: int, seconds: int) -> list[str]:
        """The load generator's command for a server on that port."""
        url = f"http://127.0.0.1:{port}{self.path}"
        if self.tool == "h2load":
            return ["h2load", "-t1", f"-D{seconds}", *self.arguments, url]
        headers = ("-H", f"Cookie: {COOKIE}") if self.cookie else ()
        return ["wrk", "-t1", f"-d{seconds}s", "--latency", *headers, *self.arguments, url]

    def check(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Compare an answer with what it must be.

        Args:
            status: The answer's status.
            headers: Its headers, names in lower case.
            body: Its body, freed from the framing.

        Raises:
            WrongAnswerError: It differs; the message says in what.
        """
        if status != 200:
            raise WrongAnswerError(f"the status is {status}")
        kind = headers.get("content-type", "")
        if not kind.startswith(self.kind):
            raise WrongAnswerError(f"the content type is {kind!r}, not {self.kind!r}")
        right = json.loads(body) == self.body if isinstance(self.body, dict) else body == self.body
        if not right:
            raise WrongAnswerError(f"the body is {body[:80]!r} ({len(body)} bytes)")
        if self.cookie and COOKIE not in headers.get("set-cookie", ""):
            raise WrongAnswerError("no cookie came back")


_ECHO = str(Path(__file__).parent / "echo.lua")
_REALISTIC = "/users/7/items?page=2&q=hat"

WORKLOADS = {
    workload.key: workload
    for workload in (
        Workload("hello", "Hello, 64 connections", "wrk", ("-c64",), "/", "text/", HELLO),
        Workload("hello-1000", "Hello, 1,000 connections", "wrk", ("-c1000",), "/", "text/", HELLO),
        Workload(
            "close",
            "Hello, a connection for each request",
            "wrk",
            ("-c64", "-H", "Connection: close"),
            "/",
            "text/",
            HELLO,
        ),
        Workload(
            "json",
            "JSON",
            "wrk",
            ("-c64",),
            "/json",
            "application/json",
            {"message": "Hello, world"},
        ),
        Workload(
            "realistic",
            "Realistic handler: path and query arguments, a cookie in and out, 300 bytes of JSON",
            "wrk",
            ("-c64",),
            _REALISTIC,
            "application/json",
            PAGE,
            cookie=True,
        ),
        Workload(
            "echo",
            "Echo of a 64 KiB POST",
            "wrk",
            ("-c64", "-s", _ECHO),
            "/echo",
            "",
            POSTED,
            posted=POSTED,
        ),
        Workload("large", "Download of 1 MiB", "wrk", ("-c16",), "/large", "", LARGE),
        Workload(
            "http2",
            "HTTP/2 hello, 32 connections of 10 streams",
            "h2load",
            ("-c32", "-m10"),
            "/",
            "text/",
            HELLO,
        ),
        Workload(
            "routes",
            "A pattern among 1,000 routes, and alone",
            "wrk",
            ("-c64",),
            "/route999/7",
            "text/",
            b"7",
            reference="Eyewall, 1 route",
        ),
    )
}
