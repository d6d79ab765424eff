"""Every example in the documentation runs."""

import re

import pytest

from eyewall import Application
from tests.support import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page):
    for number, source in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1):
        names = {"__name__": "example"}
        exec(compile(source, f"{page.name}, example {number}", "exec"), names)
        app = names.get("app")
        assert app is None or isinstance(app, Application)


def test_the_first_program_serves(run):
    from tests.web.test_handlers import ask

    [source, *_] = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    names = {}
    exec(source, names)
    app = names["app"]
    assert ask(run, app, "/")[2] == b'{"try":"/hello/you"}'
    assert ask(run, app, "/hello/you")[2] == b"Hello, you"
    assert ask(run, app, "/square/12")[2] == b'{"square":144}'
