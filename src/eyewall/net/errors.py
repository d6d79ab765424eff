"""What streams and listening sockets raise."""

from eyewall.base.errors import StartupError
from eyewall.net.engine import ConnectionEndedError


class StreamClosedError(ConnectionEndedError):
    """The stream is closed, or was closed while an operation waited; an `OSError`.

    Attributes:
        real_error: The error that closed the stream; None after an ordinary close.
    """

    def __init__(self, real_error: BaseException | None = None) -> None:
        super().__init__(
            "Stream is closed" if real_error is None else f"Stream is closed: {real_error}"
        )
        self.real_error = real_error


class UnsatisfiableReadError(Exception):
    """A read cannot succeed: what it looks for does not end within its `max_bytes`."""


class StreamBufferFullError(Exception):
    """A buffer of the stream would hold more than it may."""


class BindError(StartupError, OSError):
    """An address cannot be listened on; `errno` says why, as in other errors of the system."""

    def __init__(self, number: int | None, message: str) -> None:
        super().__init__(number, message)

    def __str__(self) -> str:
        return str(self.args[1])
