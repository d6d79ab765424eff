"""Which files have changed: by the system's notices where watchfiles is installed, else by looking."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

_SUFFIXES: Final = frozenset({".py", ".html", ".htm", ".css", ".js", ".toml", ".json", ".txt"})
_IGNORED: Final = frozenset(
    {".git", ".venv", "__pycache__", "node_modules", "target", ".mypy_cache", ".pytest_cache"}
)
_PERIOD_S: Final = 0.25


def is_watched(path: Path) -> bool:
    """Whether a change of this file is worth a new start."""
    return path.suffix in _SUFFIXES and _IGNORED.isdisjoint(path.parts)


async def changes(folders: Sequence[str]) -> AsyncIterator[set[str]]:
    """The names of the files that changed, again and again."""
    try:
        from watchfiles import awatch  # noqa: PLC0415 - an optional dependency
    except ImportError:
        async for changed in _look(folders):
            yield changed
        return
    found = awatch(*folders, watch_filter=lambda _, name: is_watched(Path(name)), debounce=100)
    async for batch in found:
        yield {name for _, name in batch}


async def _look(folders: Sequence[str]) -> AsyncIterator[set[str]]:
    known = await asyncio.to_thread(_stamps, folders)
    while True:
        await asyncio.sleep(_PERIOD_S)
        now = await asyncio.to_thread(_stamps, folders)
        changed = {name for name in now.keys() | known.keys() if now.get(name) != known.get(name)}
        known = now
        if changed:
            yield changed


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
