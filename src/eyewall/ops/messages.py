"""JSON objects, one a line, over a stream: between supervisor and workers, and to `eyewall ctl`."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, final

from eyewall.base.errors import EyewallError
from eyewall.base.log import gen_log

LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes of a line; stacks of many tasks are long."""


class PeerError(EyewallError):
    """The other side could not do what it was asked; the message says why."""


class PeerGoneError(EyewallError):
    """The other side has gone before it answered."""


Handle = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """A line as a message.

    Raises:
        ValueError: It is no JSON object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"not JSON: {exc}") from exc
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the value of what came, not of a call
    return message


@final
class Peer:
    """One end of a conversation: asks, answers, and hears words that want no answer.

    A question is `{"id": n, "do": verb, ...}`, its answer `{"id": n, "ok": value}` or
    `{"id": n, "error": text}`, a word `{"say": name, ...}`.

    Args:
        reader: Where lines come from.
        writer: Where they go.
        handle: Answers a question: gets its verb and the message, and returns the value. A
            `PeerError` or `ValueError` becomes an error answer.
        on_word: Called with the name of a word, and the message.
        joins_midway: Somebody else has heard the conversation's beginning, perhaps up to the
            middle of a line.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handle: Handle,
        on_word: Callable[[str, Mapping[str, Any]], None] | None = None,
        *,
        joins_midway: bool = False,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._on_word = on_word
        self._may_be_cut = joins_midway
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Hear the other side out; returns when it has gone."""
        try:
            while line := await self._reader.readline():
                self._hear(line)
        except (OSError, ValueError) as exc:
            # ValueError: a line longer than the reader's limit.
            gen_log.warning("A control connection was closed: %s", exc)
        finally:
            for waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_exception(PeerGoneError("it ended before it answered"))
            self._writer.close()

    def _hear(self, line: bytes) -> None:
        may_be_cut, self._may_be_cut = self._may_be_cut, False
        try:
            message = decode(line)
        except ValueError as exc:
            if may_be_cut:
                return
            gen_log.warning("A control message was refused: %s", exc)
            self._write({"error": str(exc)})
            return
        if "do" in message:
            task = asyncio.ensure_future(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif "say" in message:
            if self._on_word is not None:
                self._on_word(str(message["say"]), message)
        else:
            self._settle(message)

    def _settle(self, message: Mapping[str, Any]) -> None:
        waiting = self._asked.get(message.get("id", 0))
        if waiting is None or waiting.done():
            return
        if "error" in message:
            waiting.set_exception(PeerError(str(message["error"])))
        else:
            waiting.set_result(message.get("ok"))

    async def _answer(self, message: Mapping[str, Any]) -> None:
        number = message.get("id")
        try:
            value = await self._handle(str(message["do"]), message)
        except (PeerError, ValueError) as exc:
            self._write({"id": number, "error": str(exc)})
        except Exception as exc:  # noqa: BLE001 - the boundary of a command
            gen_log.exception("The control command %r failed", str(message["do"])[:100])
            self._write({"id": number, "error": f"{type(exc).__name__}: {exc}"})
        else:
            self._write({"id": number, "ok": value})

    def _write(self, message: Mapping[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    def say(self, name: str, **more: Any) -> None:
        """Say a word that wants no answer."""
        self._write({"say": name, **more})

    async def ask(self, verb: str, timeout_s: float | None = 30.0, **more: Any) -> Any:
        """Ask, and wait for the answer.

        Args:
            verb: What to do.
            timeout_s: Seconds to wait; None waits for ever.
            more: The question's other values.

        Raises:
            PeerError: The other side said why not.
            PeerGoneError: It has gone.
            TimeoutError: It did not answer in time.
        """
        self._last += 1
        number = self._last
        if self._writer.is_closing():
            raise PeerGoneError("it has gone")
        waiting = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._write({"id": number, "do": verb, **more})
            async with asyncio.timeout(timeout_s):
                return await waiting
        finally:
            del self._asked[number]

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
