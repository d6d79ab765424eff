"""Word to systemd: ready, reloading, stopping, alive (sd_notify)."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import final


@final
class Notifier:
    """Sends states to the service manager; without one it does nothing.

    Args:
        environ: Where `NOTIFY_SOCKET` and `WATCHDOG_USEC` are looked for.

    The protocol is that of sd_notify(3): datagrams of `NAME=value` lines.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of an abstract address.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        wanted = environ.get("WATCHDOG_USEC", "")
        self_or_any = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(wanted) / 1e6 if wanted.isdigit() and self_or_any else None
        """Within how many seconds the manager wants to hear that we are alive; or None."""

    def send(self, **states: str | int) -> None:
        """Send states, for example `send(READY=1, STATUS="4 workers")`."""
        if not self._address:
            return
        text = "\n".join(f"{name}={value}" for name, value in states.items())
        # A manager that does not listen is no reason to stop serving.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), self._address)

    def reloading(self) -> None:
        """Say that a reload begins; `send(READY=1)` ends it."""
        self.send(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
