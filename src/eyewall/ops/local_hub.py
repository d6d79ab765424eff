"""The hub that the supervisor keeps for its workers, so that they share what is published."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from eyewall.pubsub.backends.choose import SOCKET_VARIABLE
from eyewall.pubsub.backends.local_server import LocalBackplaneServer

_SOCKET: Final = "hub.sock"


@contextlib.asynccontextmanager
async def local_hub(*, goes_on: bool) -> AsyncIterator[LocalBackplaneServer]:
    """Keep the hub of this machine's workers; processes started meanwhile find it.

    Args:
        goes_on: The supervisor was another program before; its workers connect again at the same
            place, and begin a new log after a gap.
    """
    kept = os.environ.get(SOCKET_VARIABLE)
    if goes_on and kept is not None and Path(kept).parent.is_dir():
        path = Path(kept)
    else:
        # The folder is private, so only this user can connect.
        path = Path(tempfile.mkdtemp(prefix="eyewall-")) / _SOCKET
    server = LocalBackplaneServer(path)
    await server.start()
    os.environ[SOCKET_VARIABLE] = str(path)
    try:
        yield server
    finally:
        os.environ.pop(SOCKET_VARIABLE, None)
        await server.close()
        shutil.rmtree(path.parent, ignore_errors=True)
