"""A request as an ASGI scope (ASGI 3.0, HTTP connection scope 2.4)."""

from typing import Any, Final
from urllib.parse import unquote

_VERSIONS: Final = {"HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/1.0": "1.0"}


def http_scope(exchange: Any, state: dict[str, Any]) -> dict[str, Any]:
    """The scope of a request.

    Args:
        exchange: The request, of the engine.
        state: What the program's lifespan has put aside; each request gets a copy of its own.
    """
    path = exchange.path
    root = getattr(exchange, "root_path", "")
    if root:
        # The path is whole, with the prefix that a mount has taken off.
        path = root + path
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": _VERSIONS[exchange.http_version],
        "method": exchange.method,
        "scheme": exchange.scheme,
        "path": unquote(path) if "%" in path else path,
        "raw_path": path.encode("latin-1"),
        "query_string": exchange.query.encode("latin-1"),
        "root_path": root,
        "headers": exchange.raw_headers,
        "client": client_of(exchange),
        "server": server_of(exchange),
        "state": state.copy(),
        "extensions": {
            "http.response.trailers": {},
            "http.response.early_hint": {},
            "http.response.pathsend": {},
        },
    }


def client_of(exchange: Any) -> tuple[str, int] | None:
    """The client's address, and its port where it is the socket's own peer."""
    ip = exchange.remote_ip
    if not ip:
        return None
    peer = exchange.peer
    # A proxy's port says nothing of the client that the proxy names.
    port = peer[1] if isinstance(peer, tuple) and peer[0] == ip else 0
    return ip, port


def server_of(exchange: Any) -> tuple[str, int | None]:
    """Where the request came in: an address and port, or a Unix socket's path."""
    local = exchange.local
    return (local, None) if isinstance(local, str) else local
