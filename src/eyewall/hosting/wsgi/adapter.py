"""`WSGIAdapter`: an application of ours as a WSGI program (PEP 3333)."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, final
from urllib.parse import quote

from eyewall.http.asgi_exchange import ASGIExchange

_PIECE = 64 * 1024


@final
class WSGIAdapter:
    """Serves an Eyewall application in a WSGI server, a request at a time in each thread.

    Each thread has an event loop of its own, which runs while a request is served: handlers may
    wait, but whatever should live longer than its request (background work, the hub, WebSockets)
    has no place here.

    Args:
        application: The application.

    Example:
        >>> from wsgiref.simple_server import make_server
        >>> server = make_server("127.0.0.1", 8000, WSGIAdapter(app))
    """

    def __init__(self, application: Callable[[Any], object]) -> None:
        self.application = application
        self._local = threading.local()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve a request."""
        owner = getattr(self._local, "owner", None)
        if owner is None:
            owner = self._local.owner = _ThreadLoop()
        loop = owner.loop
        messages: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(1)
        task = loop.create_task(self._serve(environ, messages))
        head = loop.run_until_complete(messages.get())
        if head is None or head["type"] != "http.response.start":
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            return [b"Internal Server Error\n"]
        headers = [(name.decode("latin-1"), value.decode("latin-1"))
                   for name, value in head["headers"]]  # fmt: skip
        start_response(_status_line(head["status"]), headers)
        return _Answer(loop, task, messages)

    async def _serve(
        self, environ: dict[str, Any], messages: "asyncio.Queue[dict[str, Any] | None]"
    ) -> None:
        body = environ["wsgi.input"]
        left = int(environ.get("CONTENT_LENGTH") or 0)
        ended = False

        async def receive() -> dict[str, Any]:
            nonlocal left, ended
            if ended:
                # Nobody says when the client goes.
                await asyncio.get_running_loop().create_future()
            # The server blocks here, as WSGI has it; the loop has but this one request.
            piece = body.read(min(left, _PIECE)) if left > 0 else b""
            left = left - len(piece) if piece else 0
            ended = left == 0
            return {"type": "http.request", "body": piece, "more_body": not ended}

        try:
            await ASGIExchange(_scope(environ), receive, messages.put).run(self.application)
        finally:
            await messages.put(None)


@final
class _ThreadLoop:
    """A thread's event loop, closed when the thread ends and drops it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def __del__(self) -> None:
        self.loop.close()


@final
class _Answer:
    """The pieces of an answer, each made when the server asks for it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        task: "asyncio.Task[None]",
        messages: "asyncio.Queue[dict[str, Any] | None]",
    ) -> None:
        self._loop, self._task, self._messages = loop, task, messages

    def __iter__(self) -> Iterator[bytes]:
        while (message := self._loop.run_until_complete(self._messages.get())) is not None:
            if message["body"]:
                yield message["body"]

    def close(self) -> None:
        """End what is left of the request."""
        self._task.cancel()
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def _scope(environ: dict[str, Any]) -> dict[str, Any]:
    headers = [
        (name.replace("_", "-").lower().encode(), value.encode("latin-1"))
        for key, value in environ.items()
        if value and (name := _field_name(key))
    ]
    root = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"))
    path = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").removeprefix("HTTP/"),
        "raw_path": (root + (path or "/")).encode(),
        "root_path": root,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": headers,
        "client": (environ.get("REMOTE_ADDR", ""), 0),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
    }


def _field_name(key: str) -> str:
    if key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        return key
    return key[5:] if key.startswith("HTTP_") else ""
