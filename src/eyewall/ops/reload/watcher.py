"""Which files have changed: by the system's notices where watchfiles is installed, else by looking."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

_SUFFIXES: Final = frozenset({".py", ".html", ".htm", ".css", ".js", ".toml", ".json", ".txt"})
_IGNORED: Final = frozenset(
    {".git", ".venv", "__pycache__", "node_modules", "target", ".mypy_cache", ".pytest_cache"}
)
_PERIOD_S: Final = 0.25


def is_watched(path: Path) -> bool:
    """Whether a change of this file is worth a new start."""
    return path.suffix in _SUFFIXES and _IGNORED.isdisjoint(path.parts)


def changes(folders: Sequence[str]) -> AsyncIterator[set[str]]:
    """The names of the files that change from now on, again and again."""
    known = _stamps(folders)
    try:
        from watchfiles import awatch  # noqa: PLC0415 - an optional dependency
    except ImportError:
        return _look(folders, known)
    found = awatch(
        *folders,
        watch_filter=lambda _, name: is_watched(Path(name)),
        debounce=100,
        rust_timeout=250,
        yield_on_timeout=True,
    )
    return _listen(found, folders, known)


async def _listen(
    found: AsyncIterator[set[tuple[Any, str]]], folders: Sequence[str], known: dict[str, int]
) -> AsyncIterator[set[str]]:
    # What changed before the system's notices began is found by looking, once.
    first = True
    async for batch in found:
        names = {name for _, name in batch}
        if first:
            first = False
            names |= _changed(known, await asyncio.to_thread(_stamps, folders))
        if names:
            yield names


async def _look(folders: Sequence[str], known: dict[str, int]) -> AsyncIterator[set[str]]:
    while True:
        await asyncio.sleep(_PERIOD_S)
        now = await asyncio.to_thread(_stamps, folders)
        names = _changed(known, now)
        known = now
        if names:
            yield names


def _changed(before: dict[str, int], now: dict[str, int]) -> set[str]:
    return {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}


def _stamps(folders: Sequence[str]) -> dict[str, int]:
    stamps: dict[str, int] = {}
    for folder in folders:
        for path in Path(folder).rglob("*"):
            if not is_watched(path):
                continue
            try:
                stamps[str(path)] = path.stat().st_mtime_ns
            except OSError:
                continue  # it went between the look at the folder and at the file
    return stamps
