"""Which backplane a URL means."""

import os
from typing import Final

from eyewall.base.errors import ConfigurationError
from eyewall.pubsub.backends.base import Backplane
from eyewall.pubsub.backends.local import LocalBackplane
from eyewall.pubsub.backends.memory import MemoryBackplane
from eyewall.pubsub.backends.nats import NatsBackplane
from eyewall.pubsub.backends.redis import RedisBackplane
from eyewall.pubsub.backends.sqlite import SqliteBackplane

HUB_VARIABLE: Final = "EYEWALL_HUB"
"""The environment variable that names the backplane of programs that name none."""
SOCKET_VARIABLE: Final = "EYEWALL_HUB_SOCKET"
"""The environment variable in which the supervisor tells its workers where its hub is."""


def choose(url: str | None) -> Backplane:
    """Make the backplane that a URL means.

    Args:
        url: The URL; None means what the environment variable EYEWALL_HUB says; without it, the
            supervisor's hub in one of several workers, and memory otherwise.

    Raises:
        ConfigurationError: A URL that is not understood, or a library that is missing.
    """
    url = url or os.environ.get(HUB_VARIABLE)
    if not url:
        path = os.environ.get(SOCKET_VARIABLE)
        url = f"local:{path}" if path else "memory:"
    scheme, _, rest = url.partition(":")
    if scheme == "memory":
        return MemoryBackplane()
    if scheme == "local" and rest:
        return LocalBackplane(rest)
    if scheme == "sqlite" and rest.startswith("///"):
        return SqliteBackplane(rest[2:])
    if scheme in {"redis", "rediss", "unix"}:
        return RedisBackplane(url)
    if scheme in {"nats", "tls"}:
        return NatsBackplane(url)
    raise ConfigurationError(
        f"{url!r} is no backplane; use memory:, local:PATH, sqlite:///PATH, redis://HOST or nats://HOST"
    )
