"""Taking connections from a listening socket."""

import errno
import socket
from collections.abc import Callable
from typing import Any, Final

from eyewall.base.log import app_log, gen_log
from eyewall.loop.ioloop import IOLoop

# Connections taken in one turn of the loop, so that others get theirs.
_BATCH: Final = 128
# How long to wait, in seconds, where the process or the system has no descriptors left: the
# listening socket stays ready meanwhile.
_PAUSE: Final = 1.0
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def add_accept_handler(
    sock: socket.socket, callback: Callable[[socket.socket, Any], object]
) -> Callable[[], None]:
    """Call `callback(connection, address)` in the current loop for each connection to `sock`.

    Args:
        sock: A listening socket that does not block; it stays the caller's.
        callback: Takes over the connection. When it raises, that is logged and the connection
            closed.

    Returns:
        A function that ends it.
    """
    acceptor = _Acceptor(sock, callback)
    acceptor.watch()
    return acceptor.stop


class _Acceptor:
    def __init__(
        self, sock: socket.socket, callback: Callable[[socket.socket, Any], object]
    ) -> None:
        loop = IOLoop.current()
        assert loop is not None
        self._loop = loop
        self._socket = sock
        self._callback = callback
        self._stopped = False

    def watch(self) -> None:
        if not self._stopped and self._socket.fileno() >= 0:
            self._loop.add_handler(self._socket, self._ready, IOLoop.READ)

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            if self._socket.fileno() >= 0:
                self._loop.remove_handler(self._socket)

    def _ready(self, sock: socket.socket, events: int) -> None:
        del events
        for _ in range(_BATCH):
            # A callback may have ended it.
            if self._stopped:
                return
            try:
                connection, address = sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                # The client went away while it waited.
                continue
            except OSError as exc:
                if exc.errno not in _EXHAUSTED:
                    raise
                self._rest(exc)
                return
            self._hand_over(connection, address)

    def _rest(self, error: OSError) -> None:
        gen_log.error(
            "no connection can be accepted (%s); trying again in %s s", error.strerror, _PAUSE
        )
        self._loop.remove_handler(self._socket)
        self._loop.call_later(_PAUSE, self.watch)

    def _hand_over(self, connection: socket.socket, address: Any) -> None:
        try:
            self._callback(connection, address)
        except Exception:  # noqa: BLE001 - the boundary of a callback
            app_log.exception("Error in connection callback %r", self._callback)
            connection.close()
