"""The servers that are compared: what each is, how it starts, and what it is asked."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from prepare import Built

PEERS = Path(__file__).parent / "peers"
LIMIT = "C epoll, fixed answer (limit)"

_HTTP1 = frozenset({"hello", "hello-1000", "close", "json", "realistic", "echo", "large"})
_ALL = _HTTP1 | {"http2"}
_FIXED = frozenset({"hello", "hello-1000", "close"})
_BARE = frozenset({"hello", "hello-1000", "close", "echo", "large", "http2"})
_HELLO = frozenset({"hello"})
_ROUTES = frozenset({"routes"})
_IDLE = frozenset({"idle"})
_WAIT = frozenset({"idle", "longpoll"})


@dataclass(frozen=True)
class Server:
    """One row of the tables.

    Args:
        name: What the row is called.
        command: The program and its first argument's places; the port comes behind.
        workloads: Keys of the workloads that it takes part in.
        variant: An argument behind the port, for programs that serve in several ways.
    """

    name: str
    command: tuple[str, ...]
    workloads: frozenset[str] = field(default=_HTTP1)
    variant: str = ""

    def command_on(self, port: int) -> list[str]:
        """The whole command for serving on that port."""
        return [*self.command, str(port), *([self.variant] if self.variant else [])]


# Name, file below peers/, workloads, variant: those that run on the peers' Python.
_PYTHON: tuple[tuple[str, str, frozenset[str], str], ...] = (
    ("Eyewall, bare", "eyewall_peer.py", _BARE | _WAIT, "bare"),
    ("Eyewall, class", "eyewall_peer.py", _ALL | _IDLE, "class"),
    ("Eyewall, async class", "eyewall_peer.py", _HELLO | {"realistic", "longpoll"}, "async"),
    ("Eyewall, function", "eyewall_peer.py", _HELLO | {"json"}, "function"),
    ("Eyewall, class, on uvloop", "eyewall_peer.py", _HELLO, "uvloop"),
    ("Eyewall, 1 route", "eyewall_peer.py", _ROUTES, "routes-1"),
    ("Eyewall, 1,000 routes", "eyewall_peer.py", _ROUTES, "routes-1000"),
    ("Granian RSGI", "granian_peer.py", _ALL | _IDLE, ""),
    # It ends connections without saying so, which wrk counts as errors.
    ("socketify", "socketify_peer.py", _HTTP1 - {"close"}, ""),
    ("uvicorn, raw ASGI", "uvicorn_peer.py", _HTTP1 | _IDLE, ""),
    ("aiohttp", "aiohttp_peer.py", _HTTP1 | _WAIT, ""),
    ("aiohttp, 1 route", "aiohttp_peer.py", _ROUTES, "routes-1"),
    ("aiohttp, 1,000 routes", "aiohttp_peer.py", _ROUTES, "routes-1000"),
    ("Starlette on uvicorn", "starlette_peer.py", _HTTP1 | _WAIT, ""),
    ("Starlette, 1 route", "starlette_peer.py", _ROUTES, "routes-1"),
    ("Starlette, 1,000 routes", "starlette_peer.py", _ROUTES, "routes-1000"),
    ("Twisted", "twisted_peer.py", _HTTP1, ""),
    ("Tornado", "tornado_peer.py", _HTTP1 | _WAIT, ""),
    ("Tornado, 1 route", "tornado_peer.py", _ROUTES, "routes-1"),
    ("Tornado, 1,000 routes", "tornado_peer.py", _ROUTES, "routes-1000"),
)

# Name, key of the built program, workloads.
_NATIVE: tuple[tuple[str, str, frozenset[str]], ...] = (
    (LIMIT, "limit", _FIXED),
    ("hyper alone", "hyper", _ALL | _IDLE),
    ("Go net/http", "go", _ALL | _WAIT),
)


def all_servers(built: Built) -> list[Server]:
    """Every server that this machine can start."""
    servers = [
        Server(name, (str(built.native[key]),), workloads)
        for name, key, workloads in _NATIVE
        if key in built.native
    ]
    if node := shutil.which("node"):
        servers.append(Server("Node http", (node, str(PEERS / "node.js")), _HTTP1 | _WAIT))
    else:
        print("Left out: Node http (node is not installed)")
    servers.extend(
        Server(name, (built.python, str(PEERS / file)), workloads, variant)
        for name, file, workloads, variant in _PYTHON
    )
    return servers
