"""What every session store does."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from eyewall.web.sessions.stores import SessionStore


class SessionStoreContract(ABC):
    """The tests of a session store, for pytest and unittest alike: subclass it and give a store.

    Example:
        >>> class TestMyStore(SessionStoreContract):
        ...     @contextlib.asynccontextmanager
        ...     async def store(self):
        ...         yield MyStore()
    """

    @abstractmethod
    def store(self) -> AbstractAsyncContextManager[SessionStore]:
        """An empty store, closed when its block ends."""

    async def let_pass(self, seconds: float) -> None:
        """Let time pass for the store; override it for one with a clock of its own."""
        await asyncio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def _fresh(self) -> AsyncIterator[SessionStore]:
        async with asyncio.timeout(30), self.store() as store:
            yield store

    def test_what_is_kept_comes_back_and_is_replaced(self) -> None:
        """Data comes back byte for byte; the last data counts."""

        async def main() -> None:
            async with self._fresh() as store:
                assert await store.load("a") is None
                await store.save("a", b"1", 100)
                await store.save("b", b"2\x00\xff", 100)
                await store.save("a", b"3", 100)
                assert await store.load("a") == b"3"
                assert await store.load("b") == b"2\x00\xff"

        asyncio.run(main())

    def test_what_is_deleted_is_gone(self) -> None:
        """Deleting forgets; deleting what is not there does nothing."""

        async def main() -> None:
            async with self._fresh() as store:
                await store.save("a", b"1", 100)
                await store.delete("a")
                await store.delete("never")
                assert await store.load("a") is None

        asyncio.run(main())

    def test_what_is_over_is_gone_and_saving_again_prolongs(self) -> None:
        """A time that is over takes the data along; a new save counts anew."""

        async def main() -> None:
            async with self._fresh() as store:
                await store.save("short", b"1", 1)
                await store.save("long", b"2", 1)
                await store.save("long", b"2", 100)
                await self.let_pass(1.1)
                assert await store.load("short") is None
                assert await store.load("long") == b"2"

        asyncio.run(main())

    def test_many_at_once_are_all_kept(self) -> None:
        """Concurrent saves and loads do not disturb each other."""

        async def main() -> None:
            async with self._fresh() as store:
                await asyncio.gather(*(store.save(str(n), str(n).encode(), 100) for n in range(50)))
                kept = await asyncio.gather(*(store.load(str(n)) for n in range(50)))
                assert kept == [str(n).encode() for n in range(50)]

        asyncio.run(main())

    def test_large_data_comes_back_whole(self) -> None:
        """Half a megabyte is kept as well as a byte."""

        async def main() -> None:
            data = bytes(range(256)) * 2048
            async with self._fresh() as store:
                await store.save("large", data, 100)
                assert await store.load("large") == data

        asyncio.run(main())
