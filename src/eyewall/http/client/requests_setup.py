"""`setup_session`: programs that use `requests`, on the loop."""

from typing import TYPE_CHECKING, Any

from eyewall.base.errors import ConfigurationError

if TYPE_CHECKING:
    import requests


def setup_session(session: "requests.Session | None" = None) -> None:
    """Let `requests` wait without holding the loop up, in code that runs in a greenlet.

    Requests then go through the non-blocking client, with everything that `requests` is: its
    sessions, cookies, redirects, authentication, files, streams and exceptions. In code that does
    not run in a greenlet (a thread, a script) nothing changes.

    Args:
        session: The session to set up; None for all that are made from now on, which are
            those of `requests.get` and its like too.

    Raises:
        ConfigurationError: requests or greenlet is not installed.
    """
    try:
        import greenlet  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - optional
        import requests  # noqa: PLC0415 - optional

        from eyewall.http.client.requests_adapter import (  # noqa: PLC0415 - it needs them
            LoopAdapter,
        )
    except ImportError as exc:
        raise ConfigurationError(
            "setup_session needs requests and greenlet: pip install 'eyewall[requests]'"
        ) from exc
    if session is None:
        # What a new session mounts for both schemes.
        sessions: Any = requests.sessions
        sessions.HTTPAdapter = LoopAdapter
        return
    for prefix in ("https://", "http://"):
        session.mount(prefix, LoopAdapter())
