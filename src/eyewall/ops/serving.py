"""What gate and control socket need of whatever serves in a process."""

from collections.abc import Callable
from typing import Any, Protocol


class Serving(Protocol):
    """An `HTTPServer`, or what takes requests from elsewhere."""

    app: Callable[[Any], object]

    def divert(self, to: Callable[[Any], object] | None) -> None:
        """Give exchanges to another function than the application; None ends that."""
        ...

    def stats(self) -> dict[str, int]:
        """`connections`, `exchanges` under way, `requests` and `refused` so far."""
        ...

    async def drain(self, deadline_s: float = 30.0) -> None:
        """Take no more, and return when all that runs is done, or the time is up."""
        ...

    def close(self) -> None:
        """Take no more, and cut what runs."""
        ...
