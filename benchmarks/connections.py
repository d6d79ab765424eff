"""Very many connections: what each costs while it idles, and how fast all can be answered."""

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from harness import serving
from measure import resident_bytes
from servers import Server

COUNT: Final = 10_000
_FIRST: Final = 100
_ADDRESSES: Final = 8
_WAIT_S: Final = 60.0
_SETTLE_S: Final = 1.0


class WrongConnectionError(Exception):
    """A connection was refused, closed or answered wrongly."""


@dataclass(frozen=True)
class Idle:
    """Memory of the server's processes.

    Args:
        base: Resident bytes after a hundred connections have come and gone.
        each: Resident bytes more for each of the idle connections.
    """

    base: int
    each: float


def idle(server: Server) -> Idle:
    """Open connections that have each had one answer and are kept; see what memory they take.

    Raises:
        WrongConnectionError: Not all were answered and kept open.
        ServerFailedError: The server does not start.
    """
    with serving(server) as (port, session):
        # The first ones make what is made once: buffers, caches, code.
        with _connected(port, _FIRST) as sockets:
            _exchange(sockets, b"/")
        base = resident_bytes(session)
        with _connected(port, COUNT) as sockets:
            _exchange(sockets, b"/")
            # A server may give buffers back a moment after the answer.
            time.sleep(_SETTLE_S)
            each = (resident_bytes(session) - base) / COUNT
            _all_open(sockets)
    return Idle(base, each)


def longpoll(server: Server) -> float:
    """Seconds from the event until the last of the waiting requests has its answer.

    Raises:
        WrongConnectionError: Not all waited, or not all had the answer.
        ServerFailedError: The server does not start.
    """
    with serving(server) as (port, _), _connected(port, COUNT) as sockets:
        for sock in sockets:
            sock.sendall(_request(b"/wait"))
        end = time.monotonic() + _WAIT_S
        while (waiting := _ask(port, b"/waiting")) != str(COUNT).encode():
            if time.monotonic() > end:
                raise WrongConnectionError(f"{waiting!r} of {COUNT} requests wait")
        with selectors.DefaultSelector() as selector:
            for sock in sockets:
                selector.register(sock, selectors.EVENT_READ)
            begun = time.monotonic()
            _ask(port, b"/event")
            _collect(selector, COUNT, b"news")
            return time.monotonic() - begun


def _request(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.contextmanager
def _connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    """That many connections, from several addresses: one has 28,000 ports at most."""
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        for number in range(count):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(_WAIT_S)
            sock.bind((f"127.0.0.{2 + number % _ADDRESSES}", 0))
            sock.connect(("127.0.0.1", port))
            sockets.append(sock)
        yield sockets


def _exchange(sockets: list[socket.socket], path: bytes) -> None:
    for sock in sockets:
        sock.sendall(_request(path))
        _expect(sock, b"Hello, world")


def _expect(sock: socket.socket, ending: bytes) -> None:
    answer = b""
    while not _complete(answer, ending):
        piece = sock.recv(4096)
        if not piece:
            raise WrongConnectionError(f"closed after {answer[-80:]!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200"):
        raise WrongConnectionError(f"answered {answer[:80]!r}")


def _complete(answer: bytes, ending: bytes) -> bool:
    # A chunked answer has its last chunk behind the text.
    return answer.endswith((ending, ending + b"\r\n0\r\n\r\n"))


def _collect(selector: selectors.BaseSelector, count: int, ending: bytes) -> None:
    end = time.monotonic() + _WAIT_S
    while count:
        ready = selector.select(1.0)
        if time.monotonic() > end:
            raise WrongConnectionError(f"{count} requests were not answered")
        for key, _ in ready:
            if isinstance(key.fileobj, socket.socket):
                _expect(key.fileobj, ending)
                selector.unregister(key.fileobj)
                count -= 1


def _ask(port: int, path: bytes) -> bytes:
    """The body of one request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), _WAIT_S) as sock:
        sock.sendall(_request(path).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = b""
        while piece := sock.recv(4096):
            answer += piece
    body = answer.partition(b"\r\n\r\n")[2]
    chunked = b"chunked" in answer.lower()
    return body.split(b"\r\n")[1] if chunked else body


def _all_open(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            said = sock.recv(1)
            raise WrongConnectionError(f"not kept open; it said {said!r}")
