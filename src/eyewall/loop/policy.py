"""Which event loop: asyncio's own, or uvloop."""

import asyncio

from eyewall.base.errors import StartupError


def new_event_loop(name: str = "asyncio") -> asyncio.AbstractEventLoop:
    """A new loop of that kind: "asyncio" or "uvloop".

    Raises:
        StartupError: An unknown kind, or uvloop is not installed.
    """
    if name == "asyncio":
        return asyncio.new_event_loop()
    if name == "uvloop":
        try:
            import uvloop  # noqa: PLC0415 - an optional dependency
        except ImportError as exc:
            raise StartupError("uvloop is not installed: pip install eyewall[uvloop]") from exc
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    raise StartupError(f'there is no loop {name!r}; there are "asyncio" and "uvloop"')
