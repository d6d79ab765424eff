"""The development error page through the real engine: what it shows, and what it never does."""

import json
import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall import Application
from eyewall.web.debug_report import MAX_FRAMES, report_of
from eyewall.web.debug_values import MASK, MAX_VALUE_CHARS, is_secret, masked, printable, value_text
from eyewall.web.templates import Loader
from tests.web.test_handlers import ask, handler

HTML = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
LARGEST_PAGE = 3_000_000


def failing(get):
    return Application([(r"/.*", handler(get=get))], debug=True, access_log=False)


def page_of(run, get, target="/", headers=""):
    status, _, body = ask(run, failing(get), target, headers=HTML + headers)
    assert status == 500
    return body.decode()


def raising(function):
    """What a function raises."""
    with pytest.raises(BaseException) as caught:
        function()
    return caught.value


@pytest.fixture
def program(tmp_path):
    """Makes a module of a program from its source; returns its names."""

    def load(source, name="program.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        names = {"__name__": "program"}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
        return names

    return load


def test_a_browser_sees_the_failing_line_with_its_expression_marked(run, program):
    names = program("""
        def get(self):
            größe = 0
            return größe + 10 / größe + 5
    """)
    page = page_of(run, names["get"])
    marked, *_ = re.findall("<mark>(.*?)</mark>", page)
    assert marked.strip() == "4     return größe + <u>10 / größe</u> + 5"
    assert "<h1>ZeroDivisionError</h1><p>division by zero</p>" in page
    assert "program.py:4" in page


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("application/problem+json", "application/json"),
        ("text/html;q=0", "text/plain"),
        ("text/plain, text/html", "text/plain"),
        ("*/*", "text/plain"),
        ("," * 5000, "text/plain"),
    ],
)
def test_the_form_is_the_one_asked_for(run, accept, kind):
    app = failing(lambda self: 1 / 0)
    _, headers, body = ask(run, app, headers=f"Accept: {accept}\r\n")
    assert headers["content-type"].startswith(kind)
    assert b"ZeroDivisionError" in body


def test_nothing_of_it_is_shown_in_production(run):
    app = Application([(r"/", handler(get=lambda self: 1 / 0))], access_log=False)
    assert b"ZeroDivision" not in ask(run, app, headers=HTML)[2]


def test_the_programs_frames_are_open_and_libraries_folded(run, program):
    names = program("""
        import json

        def get(self):
            json.loads("{")
    """)
    page = page_of(run, names["get"])
    opened = re.findall(r"<details open><summary><b>(.*?)</b>", page)
    assert opened == ["get"]
    assert "frames in libraries" in page
    assert "<b>raw_decode</b>" in page


def test_without_a_frame_of_the_program_the_innermost_is_open():
    namespace = {}
    exec(compile("def fail(): raise LookupError('x')", "<frozen made>", "exec"), namespace)
    error = raising(namespace["fail"])
    error.__traceback__ = error.__traceback__.tb_next
    [raised] = report_of(error)
    assert [frame.own for frame in raised.inner] == [False]


def test_variables_are_shown_and_secrets_are_not(run, program):
    names = program("""
        def get(self):
            count, user_password, flag_token = 7, "hunter2", None
            settings = {"cookie_secret": "hunter2", "port": 8888, b"api_key": "hunter2"}
            fields = [("Authorization", "hunter2"), ("Accept", "any")]
            body = b'name=ada&password=hunter2&x=1'
            text = '{"token": "hunter2", "n": 1}'
            address = "postgres://ada:hunter2@db/blog"
            return 1 / 0
    """)
    page = page_of(run, names["get"])
    variables = dict(re.findall("<tr><td>(.*?)</td><td>(.*?)</td></tr>", page))
    assert variables["count"] == "7"
    assert variables["user_password"] == MASK
    assert variables["flag_token"] == "None"
    assert variables["settings"].count(MASK) == 2
    assert "8888" in variables["settings"]
    assert "any" in variables["fields"]
    assert variables["body"].endswith("&amp;x=1&#x27;")
    assert variables["address"] == f"&#x27;postgres://ada:{MASK}@db/blog&#x27;"
    shown = re.sub("<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert "hunter2" not in shown


def test_the_request_is_shown_without_its_secrets(run, program):
    page = page_of(
        run,
        program("def get(self): 1 / 0")["get"],
        "/find?q=cats&access_token=hunter2",
        "Cookie: session=hunter2\r\nAuthorization: Bearer hunter2\r\nX-Api-Key: hunter2\r\n"
        "Referer: http://h/?a=1&token=hunter2\r\nX-Shown: yes\r\n",
    )
    assert "hunter2" not in page
    assert f"GET /find?q=cats&amp;access_token={MASK}" in page
    assert "<td>X-Shown</td><td>yes</td>" in page
    assert f"<td>Authorization</td><td>{MASK}</td>" in page
    assert f"http://h/?a=1&amp;token={MASK}" in page


HOSTILE = "</pre><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\ud800\x00\x1b[31m\u202e"


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_hostile_texts_are_escaped_wherever_they_stand(run, accept):
    def get(self):
        kept, holder = HOSTILE, {HOSTILE: [HOSTILE]}
        error = ValueError(HOSTILE)
        error.add_note(HOSTILE)
        raise ExceptionGroup(HOSTILE, [type("X<b>", (Exception,), {})(kept, holder)]) from error

    headers = f"Accept: {accept}\r\nX-Bad: <script>alert(2)</script>\r\n"
    status, _, body = ask(run, failing(get), "/'?a='&amp;", headers=headers)
    assert status == 500
    page = body.decode()
    assert "\x1b" not in page
    assert "\x00" not in page
    assert "\u202e" not in page
    if accept == "text/html":
        assert "<script" not in page
        assert "<img" not in page
        assert "X<b>" not in page


def test_nothing_is_loaded_from_elsewhere_and_no_script_may_run(run):
    page = page_of(run, lambda self: 1 / 0)
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe|object)", page)
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"@import|url\(", style)


def test_values_whose_text_raises_do_not_break_the_page(run, program):
    names = program("""
        class Broken(Exception):
            def __repr__(self):
                raise RuntimeError("no repr")
            __str__ = __repr__

        def get(self):
            broken = Broken()
            nested = [broken]
            raise broken
    """)
    page = page_of(run, names["get"])
    assert "&lt;str() of Broken raised RuntimeError&gt;" in page
    assert "&lt;repr() of Broken raised RuntimeError&gt;" in page
    assert "[&lt;repr() of Broken raised RuntimeError&gt;]" in page


def test_a_value_whose_text_recurses_does_not_hold_the_page(run, program):
    names = program("""
        class Deep:
            def __repr__(self):
                return repr(self)

        def get(self):
            deep = Deep()
            after = 7
            raise ValueError("x")
    """)
    page = page_of(run, names["get"])
    variables = dict(re.findall("<tr><td>(.*?)</td><td>(.*?)</td></tr>", page))
    assert "raised RecursionError" in variables["deep"]
    assert variables["after"] == "7"


def test_causes_contexts_and_groups_are_told(run):
    def get(self):
        try:
            try:
                raise KeyError("oldest")
            except KeyError:
                raise TypeError("middle")  # noqa: B904 - the context is what is looked at
        except TypeError as error:
            group = ExceptionGroup("several", [LookupError("first"), OSError("second")])
            raise group from error

    page = page_of(run, get)
    assert re.findall(r"<h2>(?:<small>(.*?)</small>)?(.*?)</h2>", page) == [
        ("1 of 2", "LookupError"),
        ("2 of 2", "OSError"),
        ("It was raised because of", "TypeError"),
        ("It was raised while handling", "KeyError"),
        ("", "Request"),
    ]
    text = ask(run, failing(get))[2].decode()
    assert text.startswith("Traceback (most recent call last):")
    told = ["KeyError", "While that was handled:", "TypeError", "Because of that:", "| OSError"]
    assert sorted(told, key=text.index) == told
    data = json.loads(ask(run, failing(get), headers="Accept: application/json\r\n")[2])
    assert [each["relation"] for each in data["exceptions"]] == ["", "cause", "context"]
    members = data["exceptions"][0]["members"]
    assert [member[0]["message"] for member in members] == ["first", "second"]


def test_a_context_that_was_put_away_stays_away():
    def fail():
        try:
            raise KeyError
        except KeyError:
            raise ValueError("alone") from None

    assert [raised.kind for raised in report_of(raising(fail))] == ["ValueError"]


def test_causes_in_a_circle_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert [raised.message for raised in report_of(first)] == ["a", "b"]


def test_an_error_in_a_template_shows_the_templates_lines(run, tmp_path):
    (tmp_path / "page.html").write_text("<ul>\n{% for x in items %}\n<li>{{ x.nme }}\n{% end %}\n")

    def get(self):
        self.write(Loader(tmp_path).load("page.html").generate(items=[1]))

    page = page_of(run, get)
    assert "<mark>    3 &lt;li&gt;{{ x.nme }}</mark>" in page
    assert "<td>x</td><td>1</td>" in page


def test_an_error_of_syntax_shows_the_source_that_it_names(run, program, tmp_path):
    (tmp_path / "page.html").write_text("one\n{% if x %}\ntwo\n{% bogus %}\n")
    page = page_of(run, lambda self: Loader(tmp_path).load("page.html"))
    assert "{% bogus %}</mark>" in page

    page = page_of(run, lambda self: compile("a = 1\nb = = 2\n", "made.py", "exec"))
    assert "<mark>    2 b = = 2</mark>" in page


def test_deep_recursion_long_chains_and_large_values_stay_small(run):
    def get(self):
        large = {str(n): "<" * 10_000 for n in range(5000)}
        data, number, names = b"&" * 50_000_000, 1 << 1_000_000, list(large)

        def deeper(n, a=large, b=data, c=names, d=number):
            return deeper(n + 1)

        def chained(n):
            try:
                raise ValueError("<" * 100_000)
            except ValueError:
                if n:
                    chained(n - 1)
                raise

        try:
            chained(200)
        except ValueError:
            deeper(0)

    page = page_of(run, get)
    assert "RecursionError" in page
    assert re.search(r"<p class=request>\d{3,} more frames</p>", page)
    assert page.count("<summary><b>") <= MAX_FRAMES
    assert len(page) < LARGEST_PAGE
    assert len(ask(run, failing(get))[2]) < LARGEST_PAGE


def test_wide_and_deep_groups_stay_small():
    group = ExceptionGroup("g", [ValueError(n) for n in range(1000)])
    for _ in range(50):
        group = ExceptionGroup("g", [group, *map(ValueError, range(50))])
    count, found = 0, list(report_of(group))
    while found:
        raised = found.pop()
        count += 1
        found.extend(each for member in raised.members for each in member)
    assert count <= 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "[]"),
        ((1,), "(1,)"),
        ({"a": {"b": {"c": {"d": 1}}}}, "{'a': {'b': {'c': {…}}}}"),
        (list(range(25)), f"[{', '.join(map(str, range(20)))}, … 5 more]"),
        (1 << 5000, "<int of 5001 bits>"),
        (type("Rows", (list,), {})(range(2000)), "<Rows of 2000 items>"),
        ("a\nb", r"'a\nb'"),
    ],
)
def test_values_are_shown_in_short(value, text):
    assert value_text("x", value) == text


@pytest.mark.parametrize(
    "name", ["password", "db_passwd", "SECRET_KEY", "csrftoken", "_xsrf", "apiKey", "Set-Cookie"]
)
def test_names_of_secrets_are_known(name):
    assert is_secret(name)
    assert value_text(name, "hunter2") == MASK


def test_masking_long_texts_takes_linear_time():
    for part in ("password", "token: '", "token='\\", "://a:", "a", "'", "token  ", "-"):
        masked(part * 200_000)


@given(st.text(), st.integers(1, 100))
def test_printable_text_can_be_sent_and_obeyed_by_no_terminal(text, most):
    shown = printable(text, most)
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert len(shown) <= 10 * most


@given(st.recursive(st.none() | st.text() | st.binary() | st.integers(), st.lists, max_leaves=30))
def test_any_value_has_a_short_text(value):
    assert len(value_text("x", value)) <= 6 * MAX_VALUE_CHARS


@given(st.text(alphabet="abc123", min_size=1))
def test_a_secret_beside_its_name_is_masked(secret):
    secret = f"Z{secret}"
    for text in (f"password={secret}", f'"token": "{secret}"', f"('Cookie', '{secret}')"):
        assert secret not in masked(text)
