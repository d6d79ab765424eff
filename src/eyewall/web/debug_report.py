"""What is known of an error: exceptions, what caused them, their frames, lines and variables.

All of it is bounded, however deep the recursion, long the chain or large the values. Pages in
any form are made from it.
"""

import linecache
import sysconfig
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Final

from eyewall.web.debug_values import call_safely, printable, value_text

MAX_EXCEPTIONS: Final = 20
MAX_FRAMES: Final = 60
"""Frames in the whole report."""

_MAX_FRAMES_EACH: Final = 30
_MAX_DEPTH: Final = 4
_MAX_VARIABLES: Final = 25
_MAX_NOTES: Final = 10
_MAX_LINE: Final = 240
_MAX_MESSAGE: Final = 4000
_AROUND: Final = 4

_OURS: Final = str(Path(__file__).parents[1])
_LIBRARIES: Final = tuple(
    {str(sysconfig.get_paths()[name]) for name in ("stdlib", "platstdlib")} | {_OURS}
)
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One place on the way to an error.

    Attributes:
        filename: The file, which may be a template.
        number: The line's number; 0 where it is unknown.
        function: The function's name.
        lines: Lines around it with their numbers; empty where there is no source.
        columns: Where in the line the failing expression begins and ends, in characters.
        variables: Names and texts of the variables, of the program's own frames alone.
        own: Whether the file is the program's own, not a library's.
    """

    filename: str
    number: int
    function: str
    lines: tuple[tuple[int, str], ...]
    columns: tuple[int, int] | None
    variables: tuple[tuple[str, str], ...]
    own: bool

    @property
    def line(self) -> str:
        """The line itself; empty where there is no source."""
        return dict(self.lines).get(self.number, "")


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception.

    Attributes:
        kind: Its class.
        message: What it says.
        notes: What was added to it.
        relation: What it is to the exception before it in the report: "" for the first,
            "cause" when that was raised from it, "context" when that came up while it was
            handled.
        outer: The outermost frames, the outermost first.
        omitted: How many frames between are left out.
        inner: The innermost frames, where it was raised last.
        members: Of an exception group, the report of each.
    """

    kind: str
    message: str
    notes: tuple[str, ...]
    relation: str
    outer: tuple[Frame, ...]
    omitted: int
    inner: tuple[Frame, ...]
    members: "tuple[tuple[Raised, ...], ...]"

    @property
    def title(self) -> str:
        """Class and message in one."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


def report_of(error: BaseException) -> tuple[Raised, ...]:
    """An exception, then what caused it, then what caused that, and so on."""
    return _Collector().chain(error, _MAX_DEPTH)


class _Collector:
    """Reads exceptions until its allowance of them and of frames is spent."""

    def __init__(self) -> None:
        self._exceptions = MAX_EXCEPTIONS
        self._frames = MAX_FRAMES
        # Causes may go in a circle, and members of a group may have one in common.
        self._seen: set[int] = set()

    def chain(self, error: BaseException | None, depth: int) -> tuple[Raised, ...]:
        found: list[Raised] = []
        relation = ""
        while error is not None and self._exceptions and id(error) not in self._seen:
            self._seen.add(id(error))
            self._exceptions -= 1
            found.append(self._one(error, relation, depth))
            if error.__cause__ is not None:
                relation, error = "cause", error.__cause__
            else:
                relation = "context"
                error = None if error.__suppress_context__ else error.__context__
        return tuple(found)

    def _one(self, error: BaseException, relation: str, depth: int) -> Raised:
        outer, omitted, inner = self._path(error)
        members: list[tuple[Raised, ...]] = []
        if isinstance(error, BaseExceptionGroup) and depth:
            members = [self.chain(member, depth - 1) for member in error.exceptions]
        return Raised(
            kind=_kind(error),
            message=printable(call_safely(str, error), _MAX_MESSAGE),
            notes=_notes(error),
            relation=relation,
            outer=outer,
            omitted=omitted,
            inner=inner,
            members=tuple(member for member in members if member),
        )

    def _path(self, error: BaseException) -> tuple[tuple[Frame, ...], int, tuple[Frame, ...]]:
        entries: list[TracebackType] = []
        entry = error.__traceback__
        while entry is not None:
            entries.append(entry)
            entry = entry.tb_next
        count = min(len(entries), self._frames, _MAX_FRAMES_EACH)
        self._frames -= count
        if count == len(entries):
            outer: list[TracebackType] = []
            inner = entries
        else:
            # Where the way begins tells less than where it ends.
            first = count // 3
            outer, inner = entries[:first], entries[len(entries) - (count - first) :]
        frames = [*map(_frame, inner), *_place_in_source(error)]
        return tuple(map(_frame, outer)), len(entries) - count, tuple(frames)


def _kind(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in {"builtins", "__main__"}:
        name = f"{kind.__module__}.{name}"
    return printable(name, _MAX_LINE)


def _notes(error: BaseException) -> tuple[str, ...]:
    notes = getattr(error, "__notes__", ())
    if not isinstance(notes, list | tuple):
        return ()
    return tuple(printable(call_safely(str, note), _MAX_LINE) for note in notes[:_MAX_NOTES])


def _frame(entry: TracebackType) -> Frame:
    frame, number = entry.tb_frame, entry.tb_lineno or 0
    code = frame.f_code
    own = _is_own(code.co_filename)
    linecache.checkcache(code.co_filename)
    linecache.lazycache(code.co_filename, frame.f_globals)
    return Frame(
        filename=printable(code.co_filename, _MAX_LINE),
        number=number,
        function=printable(code.co_name, _MAX_LINE),
        lines=_lines(code.co_filename, number),
        columns=_columns(code, entry.tb_lasti, number),
        variables=_variables(frame) if own else (),
        own=own,
    )


def _place_in_source(error: BaseException) -> list[Frame]:
    """The place that an error of syntax names, in Python or in a template."""
    filename, number = getattr(error, "filename", None), getattr(error, "lineno", None)
    if not isinstance(filename, str) or not isinstance(number, int):
        return []
    linecache.checkcache(filename)
    lines = _lines(filename, number)
    if not lines and isinstance(error, SyntaxError) and error.text:
        lines = ((number, printable(error.text.rstrip(), _MAX_LINE)),)
    name = printable(filename, _MAX_LINE)
    return [Frame(name, number, "source", lines, None, (), own=True)]


def _is_own(filename: str) -> bool:
    if filename.startswith("<frozen"):
        return False
    path = Path(filename)
    if _INSTALLED.intersection(path.parts):
        return False
    return not any(path.is_relative_to(library) for library in _LIBRARIES)


def _lines(filename: str, number: int) -> tuple[tuple[int, str], ...]:
    lines = []
    for each in range(max(1, number - _AROUND), number + _AROUND + 1):
        text = linecache.getline(filename, each)
        if text:
            lines.append((each, printable(text.rstrip("\r\n"), _MAX_LINE)))
    while lines and lines[-1][0] > number and not lines[-1][1].strip():
        lines.pop()
    return tuple(lines)


def _columns(code: CodeType, instruction: int, number: int) -> tuple[int, int] | None:
    # A template's line is not the text that its code was compiled from.
    if not code.co_filename.endswith(".py") or instruction < 0:
        return None
    place = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    line, last, begin, end = place
    if line != number or last != line or begin is None or end is None:
        return None
    raw = linecache.getline(code.co_filename, number)
    if len(raw) > _MAX_LINE:
        return None
    # The compiler counts in bytes of UTF-8.
    data = raw.encode("utf-8", "replace")
    columns = (
        len(data[:begin].decode("utf-8", "replace")),
        len(data[:end].decode("utf-8", "replace")),
    )
    return columns if raw.strip() != raw[slice(*columns)].strip() else None


def _variables(frame: FrameType) -> tuple[tuple[str, str], ...]:
    shown = [
        (name, value)
        for name, value in list(frame.f_locals.items())
        if not name.startswith("__") and not isinstance(value, ModuleType)
    ]
    found = [
        (printable(name, _MAX_LINE), value_text(name, value))
        for name, value in shown[:_MAX_VARIABLES]
    ]
    if len(shown) > _MAX_VARIABLES:
        found.append(("\u2026", f"{len(shown) - _MAX_VARIABLES} more"))
    return tuple(found)
