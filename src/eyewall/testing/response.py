"""`TestResponse` and `StreamedResponse`: what a test client was answered."""

import asyncio
import json as json_codec
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any

from eyewall.http.client import HTTPResponse
from eyewall.http.headers import HTTPHeaders


class TestResponse:
    """A response: `status`, `headers`, `body`, `url`, and the cookies that it sets.

    `history` has the redirects that were followed to it.
    """

    __test__ = False

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.code
        self.reason = response.reason
        self.headers = response.headers
        self.body = response.body
        self.url = response.effective_url
        self.history: list[TestResponse] = []
        self.cookies: dict[str, str] = {}
        self.removed: set[str] = set()
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0" or "1970" in morsel["expires"] or not morsel.value:
                    self.removed.add(name)

    def __repr__(self) -> str:
        return f"<TestResponse {self.status} {self.url}: {self.body[:60]!r}>"

    @property
    def text(self) -> str:
        """The content as UTF-8 text."""
        return self.body.decode()

    def json(self) -> Any:
        """The content as JSON.

        Raises:
            ValueError: It is none.
        """
        return json_codec.loads(self.body)


class StreamedResponse:
    """A response whose content is read while it comes; iterate over its pieces.

    `status` and `headers` are there from the beginning.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers = HTTPHeaders()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate()

    def begin(self, status: int, headers: HTTPHeaders) -> None:
        """Take the head, for the client."""
        self.status, self.headers = status, headers

    def feed(self, data: bytes | None) -> None:
        """Take a piece, or None for the end, for the client."""
        self._pieces.put_nowait(data)

    async def _iterate(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece
        self._pieces.put_nowait(None)

    async def read(self) -> bytes:
        """All that is still to come."""
        return b"".join([piece async for piece in self])

    async def piece(self) -> bytes:
        """What comes next, such as one event of an event stream; b"" at the end."""
        async for piece in self:
            return piece
        return b""
