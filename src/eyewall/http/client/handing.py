"""Responses handed to a request's callbacks while they come."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from eyewall.base.log import app_log
from eyewall.http.client.decoding import Undoing
from eyewall.http.client.engine import ClientResponse
from eyewall.http.client.errors import HTTPStreamClosedError
from eyewall.http.client.exchange import Exchange
from eyewall.http.client.request import HTTPRequest
from eyewall.http.headers import normalize_name


async def hand_over(
    exchange: Exchange, head: ClientResponse, request: HTTPRequest, decompress: bool, max_body: int
) -> bytes:
    """Call the request's callbacks; returns the content that went to none.

    While an awaitable that `streaming_callback` returned is not done, no more is read.

    Raises:
        HTTPClientError: The rest does not come, or a callback raised.
    """
    if request.header_callback is not None:
        for line in _lines(head):
            await _call(request.header_callback, line)
    callback = request.streaming_callback
    if callback is None:
        pieces = []
        while (piece := await exchange.read()) is not None:
            pieces.append(piece)
        return b"".join(pieces)
    undoing = Undoing(head.header("content-encoding") if decompress else None, max_body)
    while (piece := await exchange.read()) is not None:
        for part in undoing.feed(piece):
            await _call(callback, part)
    undoing.finish()
    return b""


def _lines(head: ClientResponse) -> list[str]:
    """The head as lines of HTTP/1."""
    first = f"{head.http_version} {head.status} {head.reason}\r\n"
    fields = [f"{normalize_name(name)}: {value}\r\n" for name, value in head.headers]
    return [first, *fields, "\r\n"]


async def _call(callback: Callable[[Any], Any], argument: object) -> None:
    try:
        result = callback(argument)
        if inspect.isawaitable(result):
            await result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise _reported(error) from error
    except Exception as error:
        raise _reported(error) from error


def _reported(error: BaseException) -> HTTPStreamClosedError:
    app_log.error("Uncaught exception in a callback of a fetch", exc_info=error)
    return HTTPStreamClosedError(f"a callback raised {type(error).__name__}")
