"""Connected sockets: happy eyeballs (RFC 8305), a source address, Unix sockets."""

import asyncio
import contextlib
import os
import socket
from typing import Final

from eyewall.http.client.errors import HTTPConnectError
from eyewall.http.client.names import Address

_STAGGER_S: Final = 0.25
"""RFC 8305, section 5: how long one address has before the next is tried beside it."""


async def connect_any(addresses: list[Address], source: str | None = None) -> socket.socket:
    """Connect to the first of these addresses that answers.

    Args:
        addresses: The addresses in the order in which to try them.
        source: Local address to connect from.

    Raises:
        HTTPConnectError: None of them can be connected to.
    """
    if len(addresses) == 1:
        try:
            return await _connect(addresses[0], source)
        except OSError as error:
            raise _failed([error]) from error
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    waiting = list(reversed(addresses))
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(_connect(waiting.pop(), source)))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=_STAGGER_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            winner = _winner(done, errors)
            if winner is not None:
                return winner
    finally:
        await _give_up(attempts)
    raise _failed(errors)


async def connect_unix(path: str) -> socket.socket:
    """Connect to a Unix socket.

    Raises:
        HTTPConnectError: Nobody listens there.
    """
    try:
        return await _connect((socket.AF_UNIX, path), None)
    except OSError as error:
        raise HTTPConnectError(f"cannot connect to {path}: {error}") from error


def _winner(done: set[asyncio.Task[socket.socket]], errors: list[OSError]) -> socket.socket | None:
    winner = None
    for task in done:
        error = task.exception()
        if error is None:
            if winner is None:
                winner = task.result()
            else:
                task.result().close()
        elif isinstance(error, OSError):
            errors.append(error)
        else:
            raise error
    return winner


async def _give_up(attempts: set[asyncio.Task[socket.socket]]) -> None:
    for task in attempts:
        task.cancel()
    for task in attempts:
        with contextlib.suppress(asyncio.CancelledError, OSError):
            (await task).close()


def _failed(errors: list[OSError]) -> HTTPConnectError:
    last = errors[-1]
    if isinstance(last, HTTPConnectError) or last.errno is None:
        return HTTPConnectError(str(last))
    failure = HTTPConnectError(f"[Errno {last.errno}] {os.strerror(last.errno)}: {last.strerror}")
    failure.errno = last.errno
    return failure


async def _connect(address: Address, source: str | None) -> socket.socket:
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if source is not None:
            _bind(sock, source)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, source: str) -> None:
    try:
        sock.bind((source, 0))
    except OSError as error:
        raise HTTPConnectError(
            f"cannot connect from network_interface {source!r}: {error}"
        ) from error
