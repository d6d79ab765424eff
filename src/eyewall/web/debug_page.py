"""The development error page: what was raised, where, and for which request.

It is shown with the setting `serve_traceback` alone; a production server never sends it.
"""

import json
import linecache
import traceback
from pathlib import Path
from typing import Final

from eyewall.http.exchange import Exchange
from eyewall.web.engine import escape_html

_OURS: Final = str(Path(__file__).parents[1])
_STYLE: Final = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;margin:0}h1 small{color:#c33}
.frame{margin:1rem 0;border:1px solid #8885;border-radius:.4rem;overflow:hidden}
.frame summary,.frame h2{font:600 .9rem ui-monospace,monospace;padding:.4rem .8rem;margin:0;
background:#8882}
pre{margin:0;padding:.6rem .8rem;overflow-x:auto;font:.85rem/1.5 ui-monospace,monospace}
mark{display:block;background:#c332;color:inherit}
table{border-collapse:collapse;font:.85rem ui-monospace,monospace}td{padding:.1rem .8rem .1rem 0;
vertical-align:top;overflow-wrap:anywhere}
"""


def error_page(exchange: Exchange, status: int, error: BaseException) -> tuple[str, str]:
    """The page of an error: its content type, and its text.

    A browser gets HTML, a client that asks for JSON gets that, all others plain text.
    """
    accept = exchange.header("Accept") or ""
    if "text/html" in accept:
        return "text/html; charset=UTF-8", _html(exchange, status, error)
    lines = "".join(traceback.format_exception(error))
    if "json" in accept:
        page = {"status": status, "error": repr(error), "traceback": lines.splitlines()}
        return "application/json; charset=UTF-8", json.dumps(page)
    return "text/plain; charset=UTF-8", lines


def _html(exchange: Exchange, status: int, error: BaseException) -> str:
    title = escape_html(f"{type(error).__name__}: {error}")
    frames = "".join(map(_frame, reversed(traceback.extract_tb(error.__traceback__))))
    fields = "".join(
        f"<tr><td>{escape_html(name)}</td><td>{escape_html(value)}</td></tr>"
        for name, value in exchange.headers
        if name.lower() not in {"cookie", "authorization"}
    )
    request = escape_html(f"{exchange.method} {exchange.target}")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title} <small>{status}</small></h1><p>{request}</p>"
        f"{frames}<details class=frame><summary>Request headers</summary>"
        f"<table>{fields}</table></details></html>"
    )


def _frame(frame: traceback.FrameSummary) -> str:
    number = frame.lineno or 0
    source = []
    for line in range(max(1, number - 4), number + 5):
        text = linecache.getline(frame.filename, line).rstrip("\n")
        if text or line == number:
            shown = escape_html(f"{line:5} {text}")
            source.append(f"<mark>{shown}</mark>" if line == number else f"{shown}\n")
    head = escape_html(f"{frame.filename}:{number} in {frame.name}")
    body = f"<pre>{''.join(source)}</pre>"
    if frame.filename.startswith(_OURS) or "site-packages" in frame.filename:
        return f"<details class=frame><summary>{head}</summary>{body}</details>"
    return f"<section class=frame><h2>{head}</h2>{body}</section>"
