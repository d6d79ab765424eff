"""`WSGIContainer`: a WSGI program behind the engine."""

import asyncio
import io
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import IO, Any, Final, final
from weakref import WeakKeyDictionary

from eyewall.base.log import gen_log
from eyewall.hosting.wsgi.answer import Answer, whole_body
from eyewall.hosting.wsgi.environ import make_environ
from eyewall.hosting.wsgi.pool import LoopCalls, runner_of
from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.http.exchange import Exchange

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_IN_MEMORY: Final = 1024 * 1024
_DEFAULT_THREADS: Final = 40


@final
class WSGIContainer:
    """Serves a WSGI program (PEP 3333): Flask, Django, Bottle and others.

    The program runs in threads. A request's body is received before it is called, up to 1 MiB in
    memory and beyond that on disk, so that a slow client holds no thread; its answer is sent as it
    comes, as fast as the client takes it.

    Args:
        wsgi_application: The program.
        executor: Where it runs; by default in threads of its own.
        threads: How many of them there may be.
        max_body_size: Largest body in bytes; None for the server's limit.

    Example:
        >>> def hello(environ, start_response):
        ...     start_response("200 OK", [("Content-Type", "text/plain")])
        ...     return [b"Hello"]
        >>> app = WSGIContainer(hello)
    """

    serves_exchanges = True

    def __init__(
        self,
        wsgi_application: WSGIApplication,
        executor: Executor | None = None,
        *,
        threads: int = _DEFAULT_THREADS,
        max_body_size: int | None = None,
    ) -> None:
        if not callable(wsgi_application):
            raise TypeError(
                f"a WSGI application is callable, {type(wsgi_application).__name__} is not"
            )
        self.wsgi_application = wsgi_application
        self._max_body_size = max_body_size
        self._run = runner_of(executor, threads)
        self._calls: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopCalls] = WeakKeyDictionary()

    def __call__(self, exchange: Any) -> None:
        """Serve a request."""
        if not exchange.has_body:
            self._serve(exchange, io.BytesIO(), 0 if exchange.method in {"POST", "PUT"} else None)
            return
        if self._max_body_size is not None:
            exchange.set_body_limit(self._max_body_size)
        _Body(exchange, self._serve).receive()

    def _serve(self, exchange: Exchange, body: IO[bytes], length: int | None) -> None:
        loop = asyncio.get_running_loop()
        calls = self._calls.get(loop)
        if calls is None:
            calls = self._calls[loop] = LoopCalls(loop)
        environ = make_environ(exchange, body, length)
        answer = Answer(exchange, calls)
        self._run(lambda: self._answer(environ, body, answer))

    def _answer(self, environ: dict[str, Any], body: IO[bytes], answer: Answer) -> None:
        """Run the program; in a thread."""
        pieces: Any = ()
        try:
            try:
                pieces = self.wsgi_application(environ, answer.start_response)
                whole = whole_body(pieces)
                if whole is None:
                    for piece in pieces:
                        answer.write(piece)
                answer.finish(whole)
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
                body.close()
        except Exception:  # noqa: BLE001 - the boundary of the program
            answer.fail()


class _Body:
    """Receives a body, small ones in memory, large ones in a file without a name."""

    def __init__(
        self, exchange: Exchange, then: Callable[[Exchange, IO[bytes], int], None]
    ) -> None:
        self._exchange = exchange
        self._then = then
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the request
        self._length = 0

    def receive(self) -> None:
        """Take what is there; more comes by itself."""
        try:
            while (piece := self._exchange.read(self._arrived)) is not None:
                if not self._take(piece):
                    return
        except (ProtocolError, StreamClosedError) as exc:
            self._failed(exc)

    def _arrived(self, piece: bytes | Exception) -> None:
        if isinstance(piece, Exception):
            self._failed(piece)
        elif self._take(piece):
            self.receive()

    def _take(self, piece: bytes) -> bool:
        """Keep a piece; False when it was the end."""
        if piece:
            self._file.write(piece)
            self._length += len(piece)
            return True
        self._file.seek(0)
        self._then(self._exchange, self._file, self._length)
        return False

    def _failed(self, error: Exception) -> None:
        self._file.close()
        exchange = self._exchange
        if isinstance(error, ProtocolError):
            if not exchange.responded:
                exchange.respond(error.status, {"Content-Type": "text/plain"}, f"{error}\n")
        else:
            gen_log.debug("%s %s: %s", exchange.method, exchange.target, error)
