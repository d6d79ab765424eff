"""An RSGI function on Granian, one worker, no framework: `granian_peer.py PORT`."""

import sys
from typing import Any

from answers import by_hand
from granian import Granian
from granian.constants import Interfaces


async def app(scope: Any, protocol: Any) -> None:
    if scope.path == "/echo":
        headers = [("content-type", "application/octet-stream")]
        protocol.response_bytes(200, headers, await protocol())
        return
    body, kind, cookie = by_hand(scope.path, scope.query_string, scope.headers.get("cookie") or "")
    headers = [("content-type", kind)]
    if cookie:
        headers.append(("set-cookie", cookie))
    protocol.response_bytes(200, headers, body)


if __name__ == "__main__":
    Granian(
        "granian_peer:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.RSGI,
        workers=1,
        runtime_threads=1,
        # By default it accepts no more than about a thousand connections.
        backlog=16_384,
        backpressure=16_384,
        log_enabled=False,
    ).serve()
