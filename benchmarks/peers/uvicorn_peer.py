"""An ASGI function on uvicorn with uvloop and httptools, no framework: `uvicorn_peer.py PORT`."""

import sys
from typing import Any

import uvicorn
from answers import by_hand


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    cookie = None
    if scope["path"] == "/echo":
        body, kind = await read(receive), "application/octet-stream"
    else:
        sent = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
        query = scope["query_string"].decode()
        body, kind, cookie = by_hand(scope["path"], query, sent.decode())
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if cookie:
        headers.append((b"set-cookie", cookie.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Any) -> bytes:
    pieces = []
    more = True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def serve(application: Any, port: int) -> None:
    """Serve until the process ends; the keep-alive is long enough for connections that idle."""
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        timeout_keep_alive=300,
    )


if __name__ == "__main__":
    serve(app, int(sys.argv[1]))
