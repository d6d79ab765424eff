"""The template language: each construct, white space, escaping, inheritance, errors."""

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.templates import DictLoader, Loader, ParseError, Template, filter_whitespace


def made(text, **names):
    return Template(text, whitespace="all").generate(**names).decode()


LOOP = """{% for i in range(9) %}{% if i == 1 %}{% continue %}{% end %}\
{% if i > 3 %}{% break %}{% end %}{{ i }}{% end %}"""
CAUGHT = """{% try %}{{ 1 / 0 }}{% except ZeroDivisionError as e %}caught{% else %}no\
{% finally %}!{% end %}"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ 1 + 2 }}", "3"),
        ("{{ 'a' 'b' }}{{ '}' }}", "ab}"),
        ("{{ {'a': 1}['a'] }}", "1"),
        ("{% if x %}a{% elif y %}b{% else %}c{% end %}", "b"),
        ("{% for i in range(3) %}{{ i }},{% else %}!{% end %}", "0,1,2,!"),
        (LOOP, "023"),
        ("{% set n = 3 %}{% while n %}{{ n }}{% set n -= 1 %}{% end %}", "321"),
        (CAUGHT, "caught!"),
        ("{% try %}{% except %}{% else %}ok{% finally %}.{% end %}", "ok."),
        ("{% import math %}{{ math.floor(2.5) }}", "2"),
        ("{% from math import floor as f, ceil %}{{ f(2.5) }}{{ ceil(2.5) }}", "23"),
        ("{% apply upper %}a{{ y }}{% end %}b", "AYESb"),
        ("{% comment anything %}{# more #}x", "x"),
        ("{{! {%! {#! {{ 1 }}", "{{ {% {# 1"),
        ("{{{ 1 }}}", "{1}"),
        ("a { b } {", "a { b } {"),
        ("{% raw '<b>' %}{{ '<b>' }}", "<b>&lt;b&gt;"),
        ("{% autoescape None %}{{ '<b>' }}", "<b>"),
        ("{% autoescape upper %}{{ 'a' }}{{ 1 }}", "A1"),
        ("{{ None }}{{ b'<' }}{{ 1.5 }}{{ True }}", "None&lt;1.5True"),
        ("{{ # a comment\n 7 }}", "7"),
        ("{{ [x\n for x in 'ab'] }}", "[&#x27;a&#x27;, &#x27;b&#x27;]"),
        ("{{ lines('''a\n  b''') }}", "2"),
        ("{% if x %}{% end %}", ""),
        ("{{ escape('<') }}{{ url_escape('a b') }}{{ squeeze(' a  b ') }}", "&amp;lt;a+ba b"),
        ("{{ json_encode({'a': '</'}) }}", "{&quot;a&quot;:&quot;&lt;\\/&quot;}"),
        ("ä{{ 'ö' }}\U0001f600", "äö\U0001f600"),
        ("{%if y%}tight{%end%}", "tight"),
        ("{% if\ty %}tab{% end %}", "tab"),
    ],
)  # fmt: skip
def test_the_language(text, expected):
    names = {"x": False, "y": "yes", "upper": str.upper, "lines": lambda t: len(t.split("\n"))}
    assert made(text, **names) == expected


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\n{{ 1", 2, "Missing end expression }}"),
        ("\n\n{% if x", 3, "Missing end block %}"),
        ("{# open", 1, "Missing end comment #}"),
        ("{{ }}", 1, "Empty expression"),
        ("\n{%  %}", 2, "Empty block tag"),
        ("\n{% if x %}\n", 2, "Missing {% end %} for the if of line 2"),
        ("x\n{% end %}", 2, "Extra {% end %}"),
        ("{% else %}", 1, "else stands outside of"),
        ("{% for x in y %}\n{% elif z %}{% end %}", 2, "elif stands outside of if"),
        ("{% break %}", 1, "break stands outside"),
        ("{% for x in y %}{% apply f %}{% break %}{% end %}{% end %}", 1, "break stands outside"),
        ("{% unknown %}", 1, "unknown operator: 'unknown'"),
        ("\n\n{{ 1 + }}", 3, "no expression"),
        ("{{ a = 1 }}", 1, "no expression"),
        ("{{ a) + (b }}", 1, "no expression"),
        ("a\n{% if 1 + %}{% end %}", 2, "invalid syntax"),
        ("\n{% set %}", 2, "set needs"),
        ("{% block %}{% end %}", 1, "block needs a name"),
        ("{% apply %}{% end %}", 1, "apply needs a function"),
        ("{% whitespace odd %}", 1, "whitespace is one of"),
        ("{% include 'x' %}", 1, "needs a loader"),
        ("{% if x %}" * 95 + "{% end %}" * 95, 1, "Nested too deeply"),
    ],
)
def test_mistakes_name_their_line(text, line, message):
    with pytest.raises(ParseError) as caught:
        Template(text, name="page.html")
    assert message in str(caught.value)
    assert (caught.value.filename, caught.value.lineno) == ("page.html", line)


def test_text_of_an_expression_cannot_leave_it():
    with pytest.raises(ParseError):
        Template("{{ 1)\n_tt_append('x' }}")
    with pytest.raises(ParseError):
        Template('{{ """ }}x{{ """ }}')


FAMILY = {
    "base.html": "<{% block title %}base{% end %}|{% block body %}{{ word }}{% end %}>",
    "middle.html": '{% extends "base.html" %}ignored{% block body %}[{% block inner %}m{% end %}]{% end %}',
    "leaf.html": '{% extends "middle.html" %}{% block inner %}{% include "part.html" %}{% end %}',
    "part.html": "{% set found = word %}part {{ found }}",
    "raw.html": '{% autoescape None %}{{ word }}{% include "part.html" %}',
    "sub/page.html": '{% extends "../base.html" %}{% block title %}{% include "piece.html" %}{% end %}',
    "sub/piece.html": "piece",
}


def test_templates_extend_and_include_others():
    loader = DictLoader(FAMILY)
    assert loader.load("base.html").generate(word="<w>") == b"<base|&lt;w&gt;>"
    assert loader.load("leaf.html").generate(word="<w>") == b"<base|[part &lt;w&gt;]>"
    assert loader.load("middle.html").generate(word="w") == b"<base|[m]>"
    assert loader.load("sub/page.html").generate(word="w") == b"<piece|w>"
    # Each file escapes as it says itself.
    assert loader.load("raw.html").generate(word="<w>") == b"<w>part &lt;w&gt;"


@pytest.mark.parametrize(
    "templates",
    [
        {"a": '{% extends "a" %}'},
        {"a": '{% include "a" %}'},
        {"a": '{% extends "b" %}', "b": '{% include "c" %}', "c": '{% extends "a" %}'},
    ],
)
def test_templates_in_a_circle_are_refused(templates):
    with pytest.raises(ParseError, match="itself"):
        DictLoader(templates).load("a")


def test_an_error_names_the_file_and_line_where_it_was_written(tmp_path):
    (tmp_path / "base.html").write_text("<html>\n{% block b %}{% end %}\n")
    (tmp_path / "page.html").write_text(
        '{% extends "base.html" %}\n\n{% block b %}\n<td>{{ 1 }}</td>\n{% include "i.html" %}{% end %}'
    )
    (tmp_path / "i.html").write_text("one\ntwo {{ missing.name }} three\n")
    with pytest.raises(NameError) as caught:
        Loader(tmp_path).load("page.html").generate()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == (str(tmp_path / "i.html"), 2)
    assert last.line == "two {{ missing.name }} three"


def test_an_error_in_a_statement_names_its_line():
    with pytest.raises(ZeroDivisionError) as caught:
        Template("a\n\n{% set x = 1 / 0 %}\n", name="page.txt").generate()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == ("page.txt", 3)


def test_an_error_in_a_function_that_is_called_keeps_its_own_place():
    def fail():
        raise LookupError("within")

    with pytest.raises(LookupError) as caught:
        Template("x\n{{ fail() }}", name="page.txt").generate(fail=fail)
    entries = traceback.extract_tb(caught.value.__traceback__)
    assert [entry.name for entry in entries][-2:] == ["template", "fail"]
    assert entries[-2].lineno == 2


def test_files_that_change_are_read_anew(tmp_path):
    (tmp_path / "base.html").write_text("1{% block b %}{% end %}")
    (tmp_path / "page.html").write_text('{% extends "base.html" %}')
    loader, kept = Loader(tmp_path, auto_reload=True), Loader(tmp_path)
    assert loader.load("page.html").generate() == kept.load("page.html").generate() == b"1"
    (tmp_path / "base.html").write_text("22{% block b %}{% end %}")
    import os

    os.utime(tmp_path / "base.html", ns=(1, 1))
    assert loader.load("page.html").generate() == b"22"
    assert kept.load("page.html").generate() == b"1"
    kept.reset()
    assert kept.load("page.html").generate() == b"22"


def test_there_is_no_way_out_of_the_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "in" / "page").write_text('{% include "../secret" %}')
    loader = Loader(tmp_path / "in")
    for name in ("../secret", "/../secret", "page"):
        with pytest.raises(FileNotFoundError):
            loader.load(name)


def test_loaders_give_their_settings_to_all_templates():
    loader = DictLoader(
        {"a.txt": "{{ f('<') }}  x", "b.html": "a \n\n b"},
        autoescape=None, namespace={"f": str.upper}, whitespace="oneline",
    )  # fmt: skip
    assert loader.load("a.txt").generate() == b"< x"
    assert loader.load("b.html").generate() == b"a b"
    assert Template("{{ f('a') }} ", loader=loader).generate() == b"A "
    with pytest.raises(FileNotFoundError, match="no template 'c'"):
        loader.load("c")


def test_white_space_has_three_modes():
    text = "a  b\t\tc \n\n  d"
    assert filter_whitespace("all", text) == text
    assert filter_whitespace("single", text) == "a b c\nd"
    assert filter_whitespace("oneline", text) == "a b c d"
    with pytest.raises(ValueError, match="no whitespace mode"):
        filter_whitespace("odd", text)
    assert Template("a  b", name="x.html").generate() == b"a b"
    assert Template("a  b", name="x.txt").generate() == b"a  b"
    assert Template("a  b", compress_whitespace=True).generate() == b"a b"
    assert Template("<pre>a  b</pre>", name="x.html").generate() == b"<pre>a  b</pre>"
    switched = "a  b{% whitespace all %}a  b{% whitespace oneline %}a \n b"
    assert Template(switched, name="x.html").generate() == b"a ba  ba b"
    with pytest.raises(TypeError, match="either"):
        Template("", compress_whitespace=True, whitespace="all")


def test_values_that_say_themselves_what_is_safe_are_not_escaped():
    class Markup(str):
        __slots__ = ()

        def __html__(self):
            return f"<safe>{self}"

    assert made("{{ m }}", m=Markup("x")) == "<safe>x"


@given(st.text())
def test_text_without_braces_comes_out_as_it_went_in(text):
    text = text.replace("{", "(")
    assert made(text) == text


@given(st.lists(st.sampled_from([
    "{{", "}}", "{%", "%}", "{#", "#}", "!", "if x", "end", "for y in x", "block a", "raw", "'",
    '"', "(", "\n", " ", "else", "try", "x", "set x = 1", "apply f", "include 'a'", "\\", "#",
]), max_size=30).map("".join))  # fmt: skip
def test_soup_is_a_template_or_a_parse_error(text):
    try:
        Template(text, loader=DictLoader({"a": "{{ 1 }}"}))
    except ParseError as exc:
        assert exc.filename is not None  # noqa: PT017 - most soup is wrong somewhere


@pytest.mark.parametrize(
    "text",
    ["{ 1 }" * 50_000, "{{!" * 100_000, "{" * 100_000 + "{ 1 }}", " \n" * 100_000, "{ " * 100_000],
)
def test_hostile_templates_take_linear_time(text):
    Template(text, name="x.html")


def test_a_traceback_says_by_which_inclusions_a_line_was_reached():
    loader = DictLoader(
        {
            "base.html": "\n{% block body %}{% end %}",
            "page.html": '{% extends "base.html" %}{% block body %}\n{% include "part.html" %}{% end %}',
            "part.html": "\n\n{{ 1 / 0 }}",
        }
    )
    with pytest.raises(ZeroDivisionError) as caught:
        loader.load("page.html").generate()
    text = "".join(traceback.format_exception(caught.value))
    assert 'File "part.html", line 3' in text
    assert "# part.html:3 (via page.html:2, base.html:2)" in text
