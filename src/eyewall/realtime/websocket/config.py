"""Sizes and times of WebSockets, and where they come from."""

from typing import Any, Final

DEFAULT_MAX_MESSAGE_SIZE: Final = 10 * 1024 * 1024
DEFAULT_MAX_QUEUE_SIZE: Final = 16 * 1024 * 1024
DEFAULT_CLOSE_TIMEOUT: Final = 5.0


def ping_times(interval: float | None, timeout: float | None) -> tuple[float, float]:
    """The time between pings and the longest silence after one, in seconds; 0 sends none.

    Without a time-out it is the interval; a time-out of 0 lets a client be silent for ever.

    Raises:
        ValueError: A negative number.
    """
    interval = interval or 0.0
    timeout = interval if timeout is None else timeout
    if interval < 0 or timeout < 0:
        raise ValueError("websocket_ping_interval and websocket_ping_timeout must not be negative")
    return float(interval), float(timeout)


def compression_options(options: dict[str, Any] | bool | None) -> dict[str, Any] | None:
    """What the engine is told of compression; None for none.

    Raises:
        TypeError: It is neither a dict, a bool nor None.
    """
    if options is None or options is False:
        return None
    if options is True:
        return {}
    if not isinstance(options, dict):
        raise TypeError(
            "compression options are a dict (empty for the defaults), True or None, "
            f"not {type(options).__name__}"
        )
    return options
