"""The development error page: what was raised, where, and for which request.

It is shown with the setting `serve_traceback` alone; a production server never sends it.
A browser gets HTML that loads nothing, a client that asks for JSON gets that, and all others,
such as curl, get plain text. Its size is bounded, and secrets in it are masked.
"""

import itertools
import json
import re
from collections.abc import Iterable
from typing import Any, Final

from eyewall.http.exchange import Exchange
from eyewall.http.negotiation import parse_choices
from eyewall.web.debug_report import Frame, Raised, report_of
from eyewall.web.debug_values import MASK, is_secret, masked, printable
from eyewall.web.engine import escape_html

_MAX_FIELDS: Final = 100
_MAX_FIELD: Final = 500
_MAX_TARGET: Final = 2000
_RELATIONS: Final = {"cause": "It was raised because of", "context": "It was raised while handling"}
_ARGUMENT: Final = re.compile(r"([?&;])([^=&;#\s]{1,100}+)=([^&;#\s]*+)")
_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--red:#c62828;--hit:#c6282822;
--dim:#666;font:16px/1.5 system-ui,sans-serif}
@media(prefers-color-scheme:dark){:root{--red:#ff8a80;--hit:#ff8a8026;--dim:#aaa}}
*{box-sizing:border-box}
body{max-width:64rem;margin:0 auto;padding:2rem 1rem 4rem}
header{border-left:.3rem solid var(--red);padding-left:1rem;margin-bottom:1.5rem}
h1{font-size:1.4rem;line-height:1.3;margin:.2rem 0;color:var(--red);overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}
h2 small{display:block;font-weight:400;color:var(--dim)}
p{margin:.3rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.request{color:var(--dim);font:.9rem/1.5 ui-monospace,monospace}
details{margin:.5rem 0;border:1px solid var(--line);border-radius:.4rem;overflow:hidden}
summary{cursor:pointer;padding:.4rem .8rem;background:var(--soft);overflow-wrap:anywhere;
font:.85rem/1.5 ui-monospace,monospace}
summary b{font-weight:600}summary i{font-style:normal;color:var(--dim)}
details details{margin:.5rem .8rem}
pre{margin:0;padding:.5rem .8rem;overflow-x:auto;font:.85rem/1.55 ui-monospace,monospace;
tab-size:4}
mark{display:inline-block;min-width:100%;background:var(--hit);color:inherit;font-weight:600}
u{text-decoration:underline wavy var(--red) 1px;text-underline-offset:.2em}
table{border-collapse:collapse;width:100%;font:.85rem/1.5 ui-monospace,monospace}
td{padding:.15rem .8rem;vertical-align:top;overflow-wrap:anywhere;white-space:pre-wrap}
td:first-child{white-space:nowrap;color:var(--dim);width:1%}
.group{margin-left:1rem;padding-left:1rem;border-left:2px solid var(--line)}
footer{margin-top:2rem;color:var(--dim);font-size:.85rem}
"""


def error_page(exchange: Exchange, status: int, error: BaseException) -> tuple[str, str]:
    """The page of an error: its content type, and its text.

    Args:
        exchange: The request that it came up in.
        status: The status of the answer.
        error: What was raised.
    """
    report = report_of(error)
    form = _form(exchange.header("Accept") or "")
    if form == "html":
        return "text/html; charset=UTF-8", _html(exchange, status, report)
    if form == "json":
        page = json.dumps(_data(exchange, status, report), ensure_ascii=False)
        return "application/json; charset=UTF-8", page
    return "text/plain; charset=UTF-8", "".join(f"{line}\n" for line in _text(report))


def _form(accept: str) -> str:
    # A wildcard asks for nothing in particular: curl sends one, and shows text best.
    for choice in parse_choices(accept):
        if choice.weight == 0.0:
            break
        if choice.value in {"text/html", "application/xhtml+xml"}:
            return "html"
        if choice.value.endswith(("/json", "+json")):
            return "json"
        if choice.value == "text/plain":
            break
    return "text"


def _target(exchange: Exchange) -> str:
    return printable(_without_secrets(exchange.target[:_MAX_TARGET]), _MAX_TARGET)


def _without_secrets(text: str) -> str:
    """A URL, or text with one, without the values of arguments such as `?token=`."""

    def argument(match: re.Match[str]) -> str:
        value = MASK if is_secret(match[2]) else match[3]
        return f"{match[1]}{match[2]}={value}"

    return masked(_ARGUMENT.sub(argument, text))


def _fields(exchange: Exchange) -> list[tuple[str, str]]:
    fields = []
    for name, value in exchange.headers[:_MAX_FIELDS]:
        shown = MASK if is_secret(name) else _without_secrets(value[: 2 * _MAX_FIELD])
        fields.append((printable(name, _MAX_FIELD), printable(shown, _MAX_FIELD)))
    return fields


def _text(report: tuple[Raised, ...]) -> Iterable[str]:
    """A traceback as Python shows them: the oldest exception first."""
    for number, raised in enumerate(reversed(report)):
        if number:
            yield ""
        yield from _text_of_one(raised)
        if raised.relation == "cause":
            yield from ("", "Because of that:")
        elif raised.relation == "context":
            yield from ("", "While that was handled:")


def _text_of_one(raised: Raised) -> Iterable[str]:
    if raised.outer or raised.inner:
        yield "Traceback (most recent call last):"
    for frame in raised.outer:
        yield from _text_of_frame(frame)
    if raised.omitted:
        yield f"  ({raised.omitted} more frames)"
    for frame in raised.inner:
        yield from _text_of_frame(frame)
    yield raised.title
    yield from raised.notes
    for number, member in enumerate(raised.members, 1):
        yield f"  {number}. of {len(raised.members)}:"
        for line in _text(member):
            yield f"  | {line}"


def _text_of_frame(frame: Frame) -> Iterable[str]:
    yield f'  File "{frame.filename}", line {frame.number}, in {frame.function}'
    if frame.line.strip():
        yield f"    {frame.line.strip()}"


def _data(exchange: Exchange, status: int, report: tuple[Raised, ...]) -> dict[str, Any]:
    return {
        "status": status,
        "error": report[0].title,
        "request": {
            "method": printable(exchange.method, _MAX_FIELD),
            "target": _target(exchange),
            "headers": _fields(exchange),
        },
        "exceptions": [_data_of_one(raised) for raised in report],
        "traceback": list(_text(report)),
    }


def _data_of_one(raised: Raised) -> dict[str, Any]:
    return {
        "type": raised.kind,
        "message": raised.message,
        "notes": raised.notes,
        "relation": raised.relation,
        "frames": [
            {
                "file": frame.filename,
                "line": frame.number,
                "function": frame.function,
                "source": frame.line.strip(),
                "own": frame.own,
            }
            for frame in (*raised.outer, *raised.inner)
        ],
        "members": [[_data_of_one(each) for each in member] for member in raised.members],
    }


def _html(exchange: Exchange, status: int, report: tuple[Raised, ...]) -> str:
    first = report[0]
    request = escape_html(f"{printable(exchange.method, _MAX_FIELD)} {_target(exchange)}")
    fields = _table(_fields(exchange))
    text = escape_html("\n".join(_text(report)))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        # Were a value ever shown unescaped, no script of it would run.
        "<meta http-equiv=Content-Security-Policy "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape_html(first.title)}</title><style>{_STYLE}</style>"
        f"<header><div class=request>{status} &middot; {request}</div>"
        f"<h1>{escape_html(first.kind)}</h1>{_message(first)}</header>"
        f"<main>{_frames(first)}{_members(first)}{_earlier(report)}"
        f"<h2>Request</h2><details><summary>{len(exchange.headers)} header fields</summary>"
        f"{fields}</details>"
        f"<details><summary>The traceback as text</summary><pre>{text}</pre></details></main>"
        "<footer>Shown because the setting serve_traceback, or debug, is on. "
        "A public server must have it off.</footer></html>"
    )


def _earlier(report: tuple[Raised, ...]) -> str:
    return "".join(
        f"<h2><small>{_RELATIONS[raised.relation]}</small>{escape_html(raised.kind)}</h2>"
        f"{_message(raised)}{_frames(raised)}{_members(raised)}"
        for raised in report[1:]
    )


def _message(raised: Raised) -> str:
    return "".join(
        f"<p>{escape_html(text)}</p>" for text in (raised.message, *raised.notes) if text
    )


def _members(raised: Raised) -> str:
    if not raised.members:
        return ""
    sections = "".join(
        f"<h2><small>{number} of {len(raised.members)}</small>{escape_html(member[0].kind)}</h2>"
        f"{_message(member[0])}{_frames(member[0])}{_members(member[0])}{_earlier(member)}"
        for number, member in enumerate(raised.members, 1)
    )
    return f"<section class=group>{sections}</section>"


def _frames(raised: Raised) -> str:
    """The frames, the innermost first: the program's own open, libraries' in one fold."""
    folds = [_folds(raised.inner, whole=not any(frame.own for frame in raised.inner))]
    if raised.omitted:
        folds.append(f"<p class=request>{raised.omitted} more frames</p>")
    folds.append(_folds(raised.outer, whole=False))
    return "".join(folds)


def _folds(frames: tuple[Frame, ...], *, whole: bool) -> str:
    shown = []
    newest = frames[::-1]
    if whole and newest:
        # With none of the program's own there, the place where it was raised is what there is.
        shown.append(_frame(newest[0], opened=True))
        newest = newest[1:]
    for own, run in itertools.groupby(newest, lambda frame: frame.own):
        each = [_frame(frame, opened=own) for frame in run]
        if own or len(each) == 1:
            shown.extend(each)
        else:
            shown.append(
                f"<details><summary><i>{len(each)} frames in libraries</i></summary>"
                f"{''.join(each)}</details>"
            )
    return "".join(shown)


def _frame(frame: Frame, *, opened: bool) -> str:
    place = f"{escape_html(frame.filename)}:{frame.number}"
    head = f"<b>{escape_html(frame.function)}</b> <i>{place}</i>"
    source = "".join(_line(frame, number, text) for number, text in frame.lines)
    body = f"<pre>{source}</pre>" if source else "<p>There is no source to show.</p>"
    if frame.variables:
        body += f"<details><summary>Variables</summary>{_table(frame.variables)}</details>"
    return f"<details{' open' if opened else ''}><summary>{head}</summary>{body}</details>"


def _line(frame: Frame, number: int, text: str) -> str:
    if number != frame.number:
        return f"{number:5} {escape_html(text)}\n"
    shown = escape_html(text)
    if frame.columns is not None:
        begin, end = frame.columns
        parts = map(escape_html, (text[:begin], text[begin:end], text[end:]))
        shown = "{}<u>{}</u>{}".format(*parts)
    return f"<mark>{number:5} {shown}</mark>\n"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td>{escape_html(name)}</td><td>{escape_html(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{cells}</table>"
