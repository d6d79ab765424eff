"""`PlayedHTTPClient`: a client that asks nobody, and answers what the test says."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeAlias

from eyewall.http.client import AsyncHTTPClient, HTTPRequest, HTTPResponse
from eyewall.http.headers import HTTPHeaders

Answer: TypeAlias = (
    int
    | bytes
    | str
    | Exception
    | tuple[int, dict[str, str], bytes]
    | Callable[[HTTPRequest], "Answer | Awaitable[Answer]"]
)
"""A status, a body, an exception to raise, (status, headers, body), or a function of the request."""


class PlayedHTTPClient(AsyncHTTPClient):
    r"""Plays given answers, and records what was asked in `requests`.

    Pass it where a client is wanted, or `AsyncHTTPClient.configure(PlayedHTTPClient)` and take
    it with `AsyncHTTPClient()`.

    Example:
        client = PlayedHTTPClient(force_instance=True)
        client.play("GET", r"https://api\.example/users/.*", b'{"name": "Ann"}')
    """

    requests: list[HTTPRequest]

    def initialize(self, *, defaults: dict[str, Any] | None = None, **options: Any) -> None:
        """Take the options of a client; what they say makes no difference."""
        del options
        super().initialize(defaults=defaults)
        self.requests = []
        self._plays: list[tuple[str, re.Pattern[str], list[Answer]]] = []

    def play(self, method: str, pattern: str, *answers: Answer) -> None:
        """Answer requests of this method whose whole URL matches.

        Args:
            method: The method; "*" for all.
            pattern: A regular expression.
            answers: Answers in their order; the last one again and again.

        Raises:
            ValueError: There is no answer.
        """
        if not answers:
            raise ValueError("play() wants an answer")
        self._plays.append((method, re.compile(pattern), list(answers)))

    def begin(self, request: HTTPRequest, raise_error: bool) -> "asyncio.Future[HTTPResponse]":
        """Answer; a request that nothing was said about is an `AssertionError`."""
        self.requests.append(request)
        return asyncio.ensure_future(self._respond(request, raise_error))

    async def _respond(self, request: HTTPRequest, raise_error: bool) -> HTTPResponse:
        response = _made(request, await _settled(self._choose(request), request))
        if raise_error:
            response.rethrow()
        return response

    def _choose(self, request: HTTPRequest) -> Answer:
        for method, pattern, answers in self._plays:
            if method in {"*", request.method} and pattern.fullmatch(request.url):
                return answers.pop(0) if len(answers) > 1 else answers[0]
        raise AssertionError(f"no answer was given for {request.method} {request.url}")


async def _settled(answer: Answer, request: HTTPRequest) -> Answer:
    while callable(answer) and not isinstance(answer, Exception):
        made = answer(request)
        answer = await made if isawaitable(made) else made
    if isinstance(answer, Exception):
        raise answer
    return answer


def _made(request: HTTPRequest, answer: Any) -> HTTPResponse:
    code, fields, body = 200, {}, b""
    match answer:
        case int():
            code = answer
        case bytes():
            body = answer
        case str():
            body = answer.encode()
        case _:
            code, fields, body = answer
    return HTTPResponse(request, code, HTTPHeaders(fields), body=body, request_time=0.0)
