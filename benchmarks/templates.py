"""A page of 1,000 rows of 10 escaped cells: `templates.py`, beside Tornado, Jinja2 and Mako.

All make the same page; each runs in turn, and the medians are compared. Those that are not
installed are left out.
"""

import importlib.metadata
import statistics
import sys
import time
from collections.abc import Callable

from eyewall.web.templates import Template

ROWS = [
    [
        f"cell <{row}>" if cell % 5 == 0 else f"cell {row}" if cell % 2 else row * cell
        for cell in range(10)
    ]
    for row in range(1000)
]
SOURCE = """<table>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% end %}</tr>
{% end %}</table>"""
JINJA = SOURCE.replace("{% end %}</tr>", "{% endfor %}</tr>").replace("{% end %}", "{% endfor %}")
MAKO = """<table>
% for row in rows:
<tr>\\
% for cell in row:
<td>${cell}</td>\\
% endfor
</tr>
% endfor
</table>"""


def engines() -> dict[str, Callable[[], bytes]]:
    """What can make the page."""
    template = Template(SOURCE, whitespace="all")
    found: dict[str, Callable[[], bytes]] = {"eyewall": lambda: template.generate(rows=ROWS)}
    try:
        from tornado.template import Template as TornadoTemplate

        tornado = TornadoTemplate(SOURCE, whitespace="all")
        found["tornado"] = lambda: tornado.generate(rows=ROWS)
    except ImportError:
        pass
    try:
        from jinja2 import Environment

        jinja = Environment(autoescape=True).from_string(JINJA)
        found["jinja2"] = lambda: jinja.render(rows=ROWS).encode()
    except ImportError:
        pass
    try:
        from mako.template import Template as MakoTemplate

        mako = MakoTemplate(MAKO, default_filters=["h"])
        found["mako"] = lambda: mako.render(rows=ROWS).encode()
    except ImportError:
        pass
    return found


def main(rounds: int = 15) -> int:
    """Print a table; 1 when a peer makes another page."""
    found = engines()
    pages = {
        name: "".join(page().decode().replace("&#34;", "&quot;").split())
        for name, page in found.items()
    }
    if len(set(pages.values())) > 1:
        print("the pages differ", {name: len(page) for name, page in pages.items()})
        return 1
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, page in found.items():
            began = time.perf_counter()
            page()
            times[name].append(time.perf_counter() - began)
    print("| engine | ms a page | rows/s | to Eyewall |\n| --- | --- | --- | --- |")
    own = statistics.median(times["eyewall"])
    for name, taken in times.items():
        middle = statistics.median(taken)
        version = "" if name == "eyewall" else f" {importlib.metadata.version(name)}"
        print(
            f"| {name}{version} | {middle * 1000:.2f} | {1000 / middle:,.0f} | {middle / own:.2f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
