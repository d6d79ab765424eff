"""Forms with files (RFC 7578), sent without reading the files into memory."""

import asyncio
import mimetypes
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import IO, Final, TypeAlias

FileContent: TypeAlias = bytes | str | Path | IO[bytes]
File: TypeAlias = FileContent | tuple[str, FileContent] | tuple[str, FileContent, str]
"""Content, a path or an open file; or (file name, it); or with the media type third."""

_PIECE: Final = 256 * 1024


class MultipartForm:
    """A form as a request's content.

    Args:
        fields: Names and values.
        files: Names and files.

    Raises:
        OSError: A file cannot be read.
    """

    def __init__(self, fields: Mapping[str, str], files: Mapping[str, File]) -> None:
        self._boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={self._boundary}"
        self._parts: list[tuple[bytes, FileContent]] = []
        for name, value in fields.items():
            self._parts.append((self._head(f'name="{_quoted(name)}"'), value.encode()))
        for name, file in files.items():
            self._parts.append(self._file(name, file))
        self._end = f"--{self._boundary}--\r\n".encode()
        self.length = len(self._end) + sum(
            len(head) + _size(content) + 2 for head, content in self._parts
        )
        """Bytes in all."""

    async def produce(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Send it; a `body_producer`."""
        for head, content in self._parts:
            await write(head)
            if isinstance(content, bytes):
                await write(content)
            elif isinstance(content, Path):
                with await asyncio.to_thread(content.open, "rb") as file:
                    await _copy(file, write)
            elif not isinstance(content, str):
                await asyncio.to_thread(content.seek, 0)
                await _copy(content, write)
            await write(b"\r\n")
        await write(self._end)

    def _head(self, disposition: str, kind: str | None = None) -> bytes:
        head = f"--{self._boundary}\r\nContent-Disposition: form-data; {disposition}\r\n"
        if kind is not None:
            head += f"Content-Type: {kind}\r\n"
        return head.encode() + b"\r\n"

    def _file(self, name: str, file: File) -> tuple[bytes, FileContent]:
        kind: str | None = None
        filename: str | None = None
        content: FileContent
        if isinstance(file, tuple):
            filename, content = file[0], file[1]
            kind = file[2] if len(file) == 3 else None
        else:
            content = file
        if filename is None:
            own = content.name if isinstance(content, Path) else getattr(content, "name", name)
            filename = os.path.basename(own) if isinstance(own, str) else name
        if kind is None:
            kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        if "\r" in kind or "\n" in kind:
            raise ValueError("a file's media type cannot have line ends")
        disposition = f'name="{_quoted(name)}"; filename="{_quoted(filename)}"'
        if isinstance(content, str):
            content = content.encode()
        return self._head(disposition, kind), content


def _size(content: FileContent) -> int:
    if isinstance(content, bytes | str):
        return len(content)
    if isinstance(content, Path):
        return content.stat().st_size
    return content.seek(0, os.SEEK_END)


async def _copy(file: IO[bytes], write: Callable[[bytes], Awaitable[None]]) -> None:
    while piece := await asyncio.to_thread(file.read, _PIECE):
        await write(piece)


def _quoted(name: str) -> str:
    """As browsers write names in quotes."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
