"""Pages from templates, with UI modules and methods, through the real engine."""

import types

import pytest

from eyewall.web import Application, RequestHandler
from eyewall.web.templates import DictLoader
from eyewall.web.ui_modules import TemplateModule, UIModule, collect_methods, collect_modules
from tests.conftest import Live

PAGES = {
    "page.html": "<html><head></head><body>{{ greet(name) }}{% module Entry(1) %}"
    "{{ modules.Entry(2) }}{% raw xsrf_form_html() %}{{ reverse_url('home') }}"
    "{{ request.method }}{{ current_user }}{{ handler.path_args }}{{ _('word') }}</body></html>",
    "entry.html": "[{{ number }} {{ request.path }}]",
    "broken.html": "a\n{{ nothing }}",
}


class Entry(UIModule):
    def render(self, number):
        return self.render_string("entry.html", number=number)

    def embedded_css(self):
        return ".e {}"

    def css_files(self):
        return ["/a.css", "/b.css"]

    def embedded_javascript(self):
        return "run()"

    def javascript_files(self):
        return "https://js.example/x.js?a&b"

    def html_head(self):
        return "<meta>"

    def html_body(self):
        return "<i></i>"


def greet(handler, name):
    return f"{handler.request.method} <{name}>"


class Page(RequestHandler):
    def get_current_user(self):
        return "ada"

    def get(self):
        self.render("page.html", name="n")


class Broken(RequestHandler):
    def get(self):
        self.render("broken.html")


class Twice(RequestHandler):
    def get(self):
        self.finish("done")
        self.render("page.html")


def ask(run, target, **settings):
    async def main():
        app = Application(
            [("/", Page, None, "home"), ("/broken", Broken), ("/twice", Twice)],
            template_loader=DictLoader(PAGES),
            ui_modules={"Entry": Entry},
            ui_methods=[{"greet": greet}],
            access_log=False,
            **settings,
        )
        live = Live(app)
        peer = await live.connect()
        peer.send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        status, headers, body = await peer.answer()
        await peer.close()
        live.close()
        return status, headers, body.decode()

    return run(main)


def test_a_page_has_the_names_and_what_its_modules_bring(run):
    status, headers, page = ask(run, "/")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=UTF-8"
    assert "GET &lt;n&gt;[1 /][2 /]" in page
    assert '<input type="hidden" name="_xsrf"' in page
    assert "/GETada()word" in page
    head, _, body = page.partition("</head>")
    assert head.count("/a.css") == head.count(".e {}") == head.count("<meta>") == 1
    assert "https://js.example/x.js?a&amp;b" in body
    assert body.index("run()") < body.index("<i></i>") < body.index("</body>")


def test_an_error_in_a_template_is_one_500_with_its_place_in_the_log(run, caplog):
    status, _, _ = ask(run, "/broken")
    assert status == 500
    assert 'File "broken.html", line 2' in caplog.text


def test_the_error_page_shows_the_template(run):
    _, _, page = ask(run, "/broken", debug=True)
    assert "broken.html" in page


def test_rendering_after_the_end_raises(run, caplog):
    assert ask(run, "/twice")[2] == "done"
    assert "Cannot render() after finish()" in caplog.text


def test_modules_and_methods_come_from_dicts_modules_and_lists():
    holder = types.ModuleType("holder")
    holder.Entry, holder.greet, holder._hidden, holder.Other = Entry, greet, greet, dict
    found = collect_modules([holder, {"E": Entry, "x": 1}])
    assert set(found) - {"linkify", "xsrf_form_html"} == {"Template", "Entry", "E"}
    assert (found["Template"], found["Entry"], found["E"]) == (TemplateModule, Entry, Entry)
    assert collect_methods([holder, None]) == {"greet": greet}
    with pytest.raises(TypeError, match="come from"):
        collect_modules(7)


def test_templates_lie_beside_the_handler_or_in_the_folder_of_the_setting(run, tmp_path):
    (tmp_path / "page.html").write_text("from {{ where }}")

    class Here(RequestHandler):
        def get(self):
            self.render("page.html", where="folder")

    async def main():
        live = Live(Application([("/", Here)], template_path=tmp_path, access_log=False))
        answer = await live.ask(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        live.close()
        return answer

    assert run(main).endswith(b"from folder")


def rendered(run, templates):
    """A page of its own application."""

    class Own(RequestHandler):
        def get(self):
            self.render("page.html")

    async def main():
        loader = DictLoader(templates)
        live = Live(Application([("/", Own)], template_loader=loader, access_log=False))
        peer = await live.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        _, _, body = await peer.answer()
        await peer.close()
        live.close()
        return body.decode()

    return run(main)


def test_links_and_forms_are_modules_that_are_always_there(run):
    text = '{% module linkify("www.example.com") %}{% module xsrf_form_html() %}'
    page = rendered(run, {"page.html": text})
    assert page.startswith(
        '<a href="http://www.example.com">www.example.com</a><input type="hidden"'
    )


def test_a_template_may_be_a_module_and_say_once_what_it_brings(run):
    entry = """{{ set_resources(embedded_css=".e {}", css_files=["/a.css", "/b.css"],
javascript_files="/c.js", html_head="<meta>", html_body="<hr>", embedded_javascript="f()") }}e"""
    use = '{% module Template("entry.html") %}'
    page = f"<html><head></head><body>{use}{use}</body></html>"
    answer = rendered(run, {"page.html": page, "entry.html": entry})
    for part in ("/a.css", "/b.css", "/c.js", ".e {}", "f()", "<meta>", "<hr>"):
        assert answer.count(part) == 1
    assert "ee" in answer
