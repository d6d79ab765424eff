"""Jinja2 templates in handlers."""

import sys

import jinja2
import pytest

from eyewall.base.errors import ConfigurationError
from eyewall.testing.client import TestClient
from eyewall.web import Application, RequestHandler
from eyewall.web.templates.jinja import JinjaLoader
from eyewall.web.ui_modules import UIModule


class Bold(UIModule):
    def render(self, text):
        return f"<b>{text}</b>"

    def embedded_css(self):
        return "b { color: red }"


class Page(RequestHandler):
    def get(self):
        self.render("page.html", name="<Ada> & co")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.html").write_text(
        "<html><head></head><body>{% block body %}{% endblock %}</body></html>"
    )
    (tmp_path / "page.html").write_text(
        '{% extends "base.html" %}{% block body %}'
        "{{ name }} {{ modules.Bold('x') }} {{ xsrf_form_html() }} {{ reverse_url('home') }}"
        "{% endblock %}"
    )
    return tmp_path


def ask(run, loader):
    async def main():
        app = Application(
            [(r"/", Page, None, "home")],
            template_loader=loader,
            ui_modules={"Bold": Bold},
            access_log=False,
            serve_traceback=False,
        )
        async with TestClient(app) as client:
            return await client.get("/")

    return run(main)


def test_a_page_has_the_handlers_names_and_is_escaped(run, folder):
    page = ask(run, JinjaLoader(folder)).text
    assert "&lt;Ada&gt; &amp; co <b>x</b> <input" in page
    assert page.endswith(" /</body></html>")
    assert "b { color: red }" in page.partition("</head>")[0]


def test_an_environment_of_ones_own_is_used(run):
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"page.html": "{{ name | shout }}"}), autoescape=True
    )
    environment.filters["shout"] = str.upper
    assert ask(run, JinjaLoader(environment=environment)).text == "&lt;ADA&gt; &amp; CO"


def test_mistakes_in_templates_are_told_with_their_place(run, folder, caplog):
    (folder / "page.html").write_text("fine\n{% if %}")
    assert ask(run, JinjaLoader(folder)).status == 500
    assert "TemplateSyntaxError" in caplog.text
    with pytest.raises(jinja2.TemplateNotFound, match=r"other\.html"):
        JinjaLoader(folder).load("other.html")


def test_reset_reads_templates_anew(folder):
    loader = JinjaLoader(folder, auto_reload=False)
    (folder / "a.html").write_text("1")
    assert loader.load("a.html").generate() == b"1"
    (folder / "a.html").write_text("2")
    assert loader.load("a.html").generate() == b"1"
    loader.reset()
    assert loader.load("a.html").generate() == b"2"


def test_a_folder_or_an_environment_and_not_both(folder):
    for arguments in ({}, {"path": folder, "environment": jinja2.Environment()}):
        with pytest.raises(ValueError, match="either"):
            JinjaLoader(**arguments)


def test_without_the_library_the_error_says_how_to_get_it(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'eyewall\[jinja2\]'"):
        JinjaLoader(folder)
