"""`Subprocess`: a child process whose pipes are streams."""

import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from eyewall.loop.ioloop import IOLoop
from eyewall.net.pipe_stream import PipeIOStream

if TYPE_CHECKING:
    import asyncio


class Subprocess:
    """A child process; each of its standard pipes may be a stream.

    Args:
        args: As for `subprocess.Popen`, with `Subprocess.STREAM` as a possible value of
            `stdin`, `stdout` and `stderr`, beside Popen's own.
        kwargs: As for `subprocess.Popen`.

    Attributes:
        proc: The `subprocess.Popen`.
        pid: The process id.
        returncode: The exit code once it is known to have ended, negative for a signal; None
            before.
        stdin: The stream to write to, when asked for; otherwise Popen's.
        stdout: The stream to read from, when asked for; otherwise Popen's.
        stderr: The same.

    Raises:
        OSError: The program cannot be started.

    Example:
        >>> async def sorted_lines(text: bytes) -> bytes:
        ...     child = Subprocess(["sort"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
        ...     await child.stdin.write(text)
        ...     child.stdin.close()
        ...     result = await child.stdout.read_until_close()
        ...     await child.wait_for_exit()
        ...     return result
    """

    STREAM: ClassVar[Any] = object()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        loop = IOLoop.current()
        assert loop is not None
        self.io_loop: Final = loop
        theirs: list[int] = []
        ours: dict[str, int] = {}
        try:
            for name in ("stdin", "stdout", "stderr"):
                if kwargs.get(name) is Subprocess.STREAM:
                    reader, writer = os.pipe()
                    kwargs[name], ours[name] = (
                        (reader, writer) if name == "stdin" else (writer, reader)
                    )
                    theirs.append(kwargs[name])
            self.proc = subprocess.Popen(*args, **kwargs)  # noqa: S603 - the caller decides
        except BaseException:
            for fd in ours.values():
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        self.pid: Final = self.proc.pid
        self.returncode: int | None = None
        self._callbacks: list[Callable[[int], object]] = []
        self._watched = False
        for name in ("stdin", "stdout", "stderr"):
            pipe = getattr(self.proc, name)
            setattr(self, name, PipeIOStream(ours[name]) if name in ours else pipe)

    stdin: Any
    stdout: Any
    stderr: Any

    def set_exit_callback(self, callback: Callable[[int], object]) -> None:
        """Call `callback(returncode)` in the loop when the process has ended."""
        if self.returncode is not None:
            self.io_loop.add_callback(callback, self.returncode)
            return
        self._callbacks.append(callback)
        if not self._watched:
            self._watched = True
            self._watch()

    def wait_for_exit(self, raise_error: bool = True) -> "asyncio.Future[int]":
        """A future of the exit code.

        Args:
            raise_error: Raise an error for other codes than 0.

        Raises:
            subprocess.CalledProcessError: In the future.
        """
        future: asyncio.Future[int] = self.io_loop.asyncio_loop.create_future()

        def ended(code: int) -> None:
            if future.done():
                return
            if code != 0 and raise_error:
                future.set_exception(subprocess.CalledProcessError(code, self.proc.args))
            else:
                future.set_result(code)

        self.set_exit_callback(ended)
        return future

    def _watch(self) -> None:
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            # Not Linux, an old one, or the process is no more.
            waiting = self.io_loop.run_in_executor(None, self.proc.wait)
            self.io_loop.add_future(waiting, lambda _: self._ended())
        else:
            self.io_loop.asyncio_loop.add_reader(fd, self._signalled, fd)

    def _signalled(self, fd: int) -> None:
        self.io_loop.asyncio_loop.remove_reader(fd)
        os.close(fd)
        # It has ended, so this does not wait; and Popen knows of it when others ask.
        self.proc.wait()
        self._ended()

    def _ended(self) -> None:
        code = self.proc.returncode
        self.returncode = code
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self.io_loop.add_callback(callback, code)

    @classmethod
    def initialize(cls) -> None:
        """Nothing: ends of processes are noticed without SIGCHLD. Old programs call it."""

    @classmethod
    def uninitialize(cls) -> None:
        """Nothing, as `initialize`."""
