"""Errors of a template, shown at the lines of the template.

The generated code has numbers for lines. When something goes wrong in it, its entries in the
traceback are replaced by ones that name the template and its line, so that log lines, the
debug page and debuggers show what the person wrote.
"""

from types import CodeType, TracebackType
from typing import Any

from eyewall.web.templates.codegen import Places


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
    for entry in reversed(entries):
        if entry.tb_frame.f_code.co_filename == code.co_filename and entry.tb_lineno in places:
            following = _placed(entry, following, *places[entry.tb_lineno])
        else:
            entry.tb_next = following
            following = entry
    return error.with_traceback(following)


def _placed(
    entry: TracebackType, following: TracebackType | None, name: str, line: int
) -> TracebackType:
    """An entry for a line of a template, made by raising something there."""
    code = compile("\n" * (line - 1) + "raise _tt_error", name, "exec")
    code = code.replace(co_name="template")
    variables: dict[str, Any] = {
        key: value for key, value in entry.tb_frame.f_locals.items() if not key.startswith("_tt_")
    }
    try:
        exec(code, {"_tt_error": _PlacedError(), "__name__": name}, variables)  # noqa: S102 - raises
    except _PlacedError as raised:
        made = raised.__traceback__
        if made is not None and made.tb_next is not None:
            return TracebackType(following, made.tb_next.tb_frame, made.tb_next.tb_lasti, line)
    return TracebackType(following, entry.tb_frame, entry.tb_lasti, line)


class _PlacedError(Exception):
    """Raised only to get a frame."""
