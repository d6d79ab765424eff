"""Which files have changed: by the system's notices where watchfiles is installed, else by looking."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, final

_SUFFIXES: Final = frozenset({".py", ".html", ".htm", ".css", ".js", ".toml", ".json", ".txt"})
_IGNORED: Final = frozenset(
    {".git", ".venv", "__pycache__", "node_modules", "target", ".mypy_cache", ".pytest_cache"}
)
_PERIOD_S: Final = 0.25


@final
@dataclass(frozen=True, slots=True)
class Watched:
    """The files whose change is worth a new start.

    Attributes:
        folders: Where they lie, at any depth; folders of tools (.git, .venv, ...) are left out.
        include: Patterns of names watched beside those of sources, such as "*.sql".
        exclude: Patterns of names, or of paths below a folder, that are not watched.
    """

    folders: Sequence[str]
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def matches(self, name: str) -> bool:
        """Whether a change of this file counts."""
        return any(
            self._matches_below(path.relative_to(folder))
            for folder in self._roots()
            if (path := Path(name)).is_relative_to(folder)
        )

    def files(self) -> Iterator[str]:
        """All files that are there now."""
        for root in self._roots():
            for at, folders, names in os.walk(root):
                folders[:] = [name for name in folders if name not in _IGNORED]
                below = Path(at).relative_to(root)
                for name in names:
                    if self._matches_below(below / name):
                        yield os.path.join(at, name)

    def _roots(self) -> list[Path]:
        return [Path(folder).resolve() for folder in self.folders]

    def _matches_below(self, path: Path) -> bool:
        if not _IGNORED.isdisjoint(path.parts):
            return False
        spellings = (path.name, str(path))
        if any(fnmatch(text, pattern) for pattern in self.exclude for text in spellings):
            return False
        return path.suffix in _SUFFIXES or any(
            fnmatch(text, pattern) for pattern in self.include for text in spellings
        )


def changes(watched: Watched) -> AsyncIterator[set[str]]:
    """The names of the files that change from now on, again and again."""
    known = _stamps(watched)
    try:
        from watchfiles import awatch  # noqa: PLC0415 - an optional dependency
    except ImportError:
        return look(watched, known)
    found = awatch(
        *watched.folders,
        watch_filter=lambda _, name: watched.matches(name),
        debounce=100,
        rust_timeout=250,
        yield_on_timeout=True,
    )
    return _listen(found, watched, known)


async def _listen(
    found: AsyncIterator[set[tuple[Any, str]]], watched: Watched, known: dict[str, int]
) -> AsyncIterator[set[str]]:
    # What changed before the system's notices began is found by looking, once.
    first = True
    async for batch in found:
        names = {name for _, name in batch}
        if first:
            first = False
            names |= _changed(known, await asyncio.to_thread(_stamps, watched))
        if names:
            yield names


async def look(
    watched: Watched, known: dict[str, int] | None = None, *, period_s: float = _PERIOD_S
) -> AsyncIterator[set[str]]:
    """As `changes`, without the system's help: compare modification times every `period_s`."""
    known = _stamps(watched) if known is None else known
    while True:
        await asyncio.sleep(period_s)
        now = await asyncio.to_thread(_stamps, watched)
        names = _changed(known, now)
        known = now
        if names:
            yield names


def _changed(before: dict[str, int], now: dict[str, int]) -> set[str]:
    return {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}


def _stamps(watched: Watched) -> dict[str, int]:
    stamps: dict[str, int] = {}
    for name in watched.files():
        try:
            stamps[name] = Path(name).stat().st_mtime_ns
        except OSError:
            continue  # it went between the look at the folder and at the file
    return stamps
