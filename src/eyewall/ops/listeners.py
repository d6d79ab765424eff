"""The supervisor's listening sockets: one for each worker where the kernel can divide connections."""

import os
import socket
from collections.abc import Callable, Sequence
from typing import final

from eyewall.net.sockets import BACKLOG


@final
class Listeners:
    """Sockets by slot.

    A TCP address has a socket of its own for each slot (SO_REUSEPORT), so that the kernel spreads
    connections, and those that wait in a slot's queue stay there while its worker is replaced.
    Unix sockets, and sockets that somebody else has opened, are shared by all slots.

    Args:
        first: The sockets of the first slot, opened with `reuse_port`.
        shared: Whether each of them is shared.
    """

    def __init__(self, first: Sequence[socket.socket], shared: Sequence[bool]) -> None:
        self._first = list(first)
        self._shared = list(shared)
        self._slots: dict[int, list[socket.socket]] = {0: self._first}

    @classmethod
    def opened(
        cls, open_sockets: Callable[[], Sequence[socket.socket]], *, given: bool
    ) -> "Listeners":
        """Open them.

        Args:
            open_sockets: Opens the first slot's sockets.
            given: They are somebody else's, as by socket activation.
        """
        first = list(open_sockets())
        return cls(first, [given or sock.family == socket.AF_UNIX for sock in first])

    @property
    def first(self) -> list[socket.socket]:
        """The first slot's sockets, which name the addresses."""
        return self._first

    def of(self, slot: int) -> list[socket.socket]:
        """The sockets of a slot; they are opened when they are not there yet.

        Raises:
            OSError: One cannot be opened.
        """
        if slot not in self._slots:
            self._slots[slot] = [
                sock if shared else _beside(sock)
                for sock, shared in zip(self._first, self._shared, strict=True)
            ]
        return self._slots[slot]

    def fds(self) -> dict[int, list[int]]:
        """Descriptors by slot."""
        return {slot: [sock.fileno() for sock in sockets] for slot, sockets in self._slots.items()}

    @classmethod
    def inherited(cls, fds: dict[int, list[int]], shared: Sequence[bool]) -> "Listeners":
        """Take over the descriptors that another supervisor's `fds` named."""
        by_fd = {fd: socket.socket(fileno=fd) for each in fds.values() for fd in each}
        for fd in by_fd:
            os.set_inheritable(fd, False)
        listeners = cls([by_fd[fd] for fd in fds[0]], shared)
        listeners._slots = {slot: [by_fd[fd] for fd in each] for slot, each in fds.items()}
        listeners._first = listeners._slots[0]
        return listeners

    @property
    def shared(self) -> list[bool]:
        """Whether each of a slot's sockets is shared with the others."""
        return self._shared

    def slots(self) -> list[int]:
        """Slots that have sockets."""
        return sorted(self._slots)


def _beside(sock: socket.socket) -> socket.socket:
    """Another socket on the same address."""
    other = socket.socket(sock.family, sock.type)
    try:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.setblocking(False)
        other.bind(sock.getsockname())
        other.listen(BACKLOG)
    except OSError:
        other.close()
        raise
    return other
