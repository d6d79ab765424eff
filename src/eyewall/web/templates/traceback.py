"""Errors of a template, shown at the lines of the template.

The generated code has numbers for lines. When something goes wrong in it, its entries in the
traceback are replaced by ones that name the template and its line, so that log lines, the
debug page and debuggers show what the person wrote.
"""

import linecache
from types import CodeType, TracebackType
from typing import Any

from eyewall.web.templates.codegen import Place, Places


def at_template(error: BaseException, code: CodeType, places: Places) -> BaseException:
    """The error with a traceback of the template's own lines.

    Args:
        error: What was raised within the template.
        code: The template's code.
        places: What its numbers mean.
    """
    entries: list[TracebackType] = []
    entry = error.__traceback__
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    following: TracebackType | None = None
    sources: dict[str, _Source] = {}
    for entry in reversed(entries):
        if entry.tb_frame.f_code.co_filename == code.co_filename and entry.tb_lineno in places:
            following = _placed(entry, following, places[entry.tb_lineno], sources)
        else:
            entry.tb_next = following
            following = entry
    return error.with_traceback(following)


def _placed(
    entry: TracebackType,
    following: TracebackType | None,
    place: Place,
    sources: dict[str, "_Source"],
) -> TracebackType:
    """An entry for a line of a template, made by raising something there."""
    name, line, _ = place
    code = compile("\n" * (line - 1) + "raise _tt_error", name, "exec")
    code = code.replace(co_name="template")
    variables: dict[str, Any] = {
        key: value for key, value in entry.tb_frame.f_locals.items() if not key.startswith("_tt_")
    }
    try:
        exec(code, _names(place, sources), variables)  # noqa: S102 - raises
    except _PlacedError as raised:
        made = raised.__traceback__
        if made is not None and made.tb_next is not None:
            return TracebackType(following, made.tb_next.tb_frame, made.tb_next.tb_lasti, line)
    return TracebackType(following, entry.tb_frame, entry.tb_lasti, line)


def _names(place: Place, sources: dict[str, "_Source"]) -> dict[str, Any]:
    source = sources.get(place.name)
    if source is None:
        source = sources[place.name] = _Source()
        # What is kept there may be of another error, or of the template as it was.
        linecache.cache.pop(place.name, None)
    led = f" (via {', '.join(place.via)})" if place.via else ""
    source.lines[place.line] = f"# {place.name}:{place.line}{led}"
    return {"_tt_error": _PlacedError(), "__name__": place.name, "__loader__": source}


class _Source:
    """Says how a template's lines came about, where tracebacks look for source code."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}

    def get_source(self, _name: str) -> str:
        last = max(self.lines)
        return "\n".join(self.lines.get(line, "") for line in range(1, last + 1)) + "\n"


class _PlacedError(Exception):
    """Raised only to get a frame."""
