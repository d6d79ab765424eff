"""What an application opens when it starts and closes when it stops."""

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from eyewall.web.application import Application

Maker: TypeAlias = "Callable[[Application], AsyncGenerator[Any, None]]"
M = TypeVar("M", bound=Maker)


class Resources:
    """Database pools, connections and the like, each made by a function that yields once."""

    def __init__(self) -> None:
        self._makers: list[Maker] = []
        self._open: AsyncExitStack | None = None

    def __len__(self) -> int:
        """How many there are, open or not."""
        return len(self._makers)

    def add(self, maker: Maker) -> None:
        """Open one more with the others, after them.

        Raises:
            RuntimeError: They are open already.
        """
        if self._open is not None:
            raise RuntimeError("the application has started; it is too late to add a resource")
        self._makers.append(maker)

    async def open(self, app: "Application") -> None:
        """Open all in their order, unless they are open; if one fails, those before are closed."""
        if self._open is not None:
            return
        async with AsyncExitStack() as stack:
            for maker in self._makers:
                await stack.enter_async_context(asynccontextmanager(maker)(app))
            self._open = stack.pop_all()

    async def close(self) -> None:
        """Close all, the last one first."""
        stack, self._open = self._open, None
        if stack is not None:
            await stack.aclose()
