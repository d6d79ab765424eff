"""Listening sockets: TCP, Unix, and those that somebody else has opened."""

import errno
import os
import socket
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from eyewall.base.errors import StartupError
from eyewall.net.errors import BindError

BACKLOG: Final = 4096

_FIRST_FD: Final = 3
_NO_IPV6: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def bind_sockets(
    port: int,
    address: str | None = None,
    family: int = socket.AF_UNSPEC,
    backlog: int = BACKLOG,
    flags: int | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Listen on `port` of `address`, or of all addresses.

    With port 0 the system chooses one, the same for all addresses.

    Args:
        port: The port; 0 for one that is free.
        address: An address or a name; None or "" for all of this machine's.
        family: `socket.AF_INET` or `socket.AF_INET6` for only these.
        backlog: Connections that may wait to be accepted.
        flags: For `getaddrinfo`; None for `AI_PASSIVE`.
        reuse_port: Let several processes listen on the same port.

    Raises:
        BindError: The port is taken or may not be used, or the address is not this machine's.
            It is both a `StartupError` and an `OSError`.
    """
    try:
        infos = socket.getaddrinfo(
            address or None,
            port,
            family,
            socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE if flags is None else flags,
        )
    except socket.gaierror as exc:
        why = f"{address!r} is no address to listen on: {exc.strerror}"
        raise BindError(exc.errno, why) from exc
    sockets: list[socket.socket] = []
    # IPv4 first: its failure is the one that means something on a machine without IPv6.
    for kind, where in sorted({(info[0], info[4]) for info in infos}):
        host, bound_port = str(where[0]), sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_listen(kind, (host, bound_port, *where[2:]), backlog, reuse_port))
        except OSError as exc:
            if kind == socket.AF_INET6 and sockets and exc.errno in _NO_IPV6:
                continue
            for other in sockets:
                other.close()
            raise BindError(exc.errno, _why(exc, f"{host}:{bound_port}")) from exc
    return sockets


def _listen(
    family: int, where: tuple[str | int, ...], backlog: int, reuse_port: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(where)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def bind_unix_socket(path: str, mode: int = 0o600, backlog: int = BACKLOG) -> socket.socket:
    """Listen on a Unix socket; a stale one, on which nobody listens, is replaced.

    Args:
        path: Where; a name that begins with a zero character is in Linux's abstract namespace.
        mode: The permissions of the file.
        backlog: Connections that may wait to be accepted.

    Raises:
        StartupError: Somebody listens there.
        BindError: The path cannot be used.
    """
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    try:
        if path.startswith("\0"):
            sock.bind(path)
        else:
            _bind_file(sock, Path(path), mode)
        sock.listen(backlog)
    except OSError as exc:
        sock.close()
        raise BindError(exc.errno, _why(exc, path)) from exc
    except StartupError:
        sock.close()
        raise
    return sock


def _bind_file(sock: socket.socket, path: Path, mode: int) -> None:
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        _check_stale(path)
        path.unlink()
    sock.bind(str(path))
    path.chmod(mode)


def _check_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise StartupError(f"another process listens on {path}")


def inherited_socket(fd: int) -> socket.socket:
    """The listening socket that was handed over as descriptor `fd`.

    Raises:
        StartupError: It is no listening socket.
    """
    try:
        sock = socket.socket(fileno=os.dup(fd))
        listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as exc:
        raise StartupError(f"descriptor {fd} is no socket: {exc.strerror}") from exc
    if not listening:
        sock.close()
        raise StartupError(f"descriptor {fd} is a socket that does not listen")
    sock.setblocking(False)
    return sock


def activated_sockets(environ: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets that systemd has opened for this process (sd_listen_fds(3)).

    Raises:
        StartupError: One of them is no listening socket.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environ.get("LISTEN_FDS", "0"))
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        # What this process starts has no business with them.
        environ.pop(name, None)
    return [inherited_socket(_FIRST_FD + number) for number in range(count)]


def _why(exc: OSError, where: str) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is taken: another process listens there"
    if exc.errno == errno.EACCES:
        return f"{where} may not be used by this user"
    return f"cannot listen on {where}: {exc.strerror}"
