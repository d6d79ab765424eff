"""Several servers asked at once, within a budget of time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from eyewall.http.client.client import AsyncHTTPClient
from eyewall.http.client.errors import HTTPTimeoutError
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.response import HTTPResponse

K = TypeVar("K")


@dataclass(slots=True)
class Gathered(Generic[K]):
    """What came back in time, and what became of the rest.

    Args:
        responses: Responses by the names of their requests, in the order of the requests.
        errors: Errors of those that failed, or were not there in time.
    """

    responses: dict[K, HTTPResponse] = field(default_factory=dict)
    errors: dict[K, Exception] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed."""
        return not self.errors


async def gather_fetch(
    requests: Mapping[K, HTTPRequest | str],
    budget_s: float,
    client: AsyncHTTPClient | None = None,
) -> Gathered[K]:
    """Fetch several URLs at once, and return what is there when the time is up.

    What is still under way then is cancelled, and its error is an `HTTPTimeoutError`. A status
    that is no success is an error too; the response is with it.

    Args:
        requests: Requests or URLs by names.
        budget_s: Seconds for all of it.
        client: The client; None for the loop's.

    Raises:
        ValueError: A request cannot be sent.
    """
    asked = client or AsyncHTTPClient()
    fetches: dict[K, asyncio.Future[HTTPResponse]] = {}
    gathered: Gathered[K] = Gathered()
    try:
        for name, request in requests.items():
            fetches[name] = asked.fetch(request)
        if fetches:
            await asyncio.wait(fetches.values(), timeout=budget_s)
        for name, fetch in fetches.items():
            _sort(gathered, name, fetch, budget_s)
    finally:
        for fetch in fetches.values():
            fetch.cancel()
    return gathered


def _sort(
    gathered: Gathered[K], name: K, fetch: "asyncio.Future[HTTPResponse]", budget_s: float
) -> None:
    if not fetch.done():
        gathered.errors[name] = HTTPTimeoutError(f"not there within {budget_s:g} s")
        return
    error = fetch.exception()
    if error is None:
        gathered.responses[name] = fetch.result()
    elif isinstance(error, Exception):
        gathered.errors[name] = error
    else:
        raise error
