"""The control socket: where `eyewall ctl` asks, by JSON lines."""

import asyncio
import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

from eyewall.base.errors import StartupError
from eyewall.net.sockets import bind_unix_socket
from eyewall.ops.messages import LONGEST_LINE, Handle, Peer, PeerError, decode, encode


def control_folder() -> Path:
    """Where control sockets lie when nobody says: only this user may look into it.

    Raises:
        StartupError: Somebody else has made it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(base, "eyewall") if base else Path(tempfile.gettempdir(), f"eyewall-{os.getuid()}")
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StartupError(f"{folder} is not this user's alone; name another place with --control")
    return folder


def default_path(name: str) -> str:
    """The control socket of a server that is known by `name`, such as its port."""
    return str(control_folder() / f"{name}.sock")


def live_paths() -> Iterator[str]:
    """Control sockets of this user that somebody listens on."""
    for path in sorted(control_folder().glob("*.sock")):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                yield str(path)


@final
class ControlServer:
    """Listens on a Unix socket that only this user may use.

    Args:
        path: Where.
        handle: Answers; gets the verb and the message.
    """

    def __init__(self, path: str, handle: Handle) -> None:
        self.path = path
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            StartupError: Somebody listens there, or the path cannot be used.
        """
        sock = bind_unix_socket(self.path, mode=0o600)
        self._server = await asyncio.start_unix_server(
            self._connected, sock=sock, limit=LONGEST_LINE
        )

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        await Peer(reader, writer, self._handle).run()

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                Path(self.path).unlink()
            self._server = None
        for task in self._open:
            task.cancel()


def ask(path: str, verb: str, more: Mapping[str, Any], timeout_s: float | None = None) -> Any:
    """Ask at a control socket and wait for the answer; it blocks.

    Raises:
        PeerError: The server said why not, or nobody listens there.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(path)
            sock.sendall(encode({"id": 1, "do": verb, **more}))
            with sock.makefile("rb") as lines:
                for line in lines:
                    message = decode(line)
                    if message.get("id") != 1:
                        continue
                    if "error" in message:
                        raise PeerError(str(message["error"]))
                    return message.get("ok")
        except TimeoutError:
            raise PeerError(f"no answer within {timeout_s:g} s") from None
        except OSError as exc:
            raise PeerError(f"nobody serves at {path}: {exc.strerror}") from exc
    raise PeerError("the server ended before it answered")
