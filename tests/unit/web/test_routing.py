"""Routes: prefixes, order, reversal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.routing.patterns import literal_prefix
from eyewall.web.routing.rules import URLSpec, from_template, from_tuple
from eyewall.web.routing.tree import RouteTree


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"/$", ("/", True)),
        (r"^/a/b$", ("/a/b", True)),
        (r"/a\.b$", ("/a.b", True)),
        (r"/a.b$", ("/a", False)),
        (r"/users/(\d+)$", ("/users/", False)),
        (r"/ab?$", ("/a", False)),
        (r"/ab*$", ("/a", False)),
        (r"/a|/b$", ("", False)),
        (r"(?:/a|/b)$", ("", False)),
        (r"/x(a|b)$", ("/x", False)),
        (r"(?i:/a)$", ("", False)),
        (r"/a\d$", ("/a", False)),
        (r"/a\-b$", ("/a-b", True)),
        (r"/a[](]|/b$", ("", False)),
        (r"/a[^](]|/b$", ("", False)),
        (r"/a[\](]|/b$", ("", False)),
        (r"/a[|]b$", ("/a", False)),
        (r"/a(?#()|/b$", ("", False)),
        (r".*$", ("", False)),
    ],
)
def test_literal_prefixes(pattern, expected):
    assert literal_prefix(pattern) == expected


PIECES = st.sampled_from(
    [
        "/",
        "a",
        "b",
        "ab",
        r"(\w+)",
        r"(a|b)",
        ".*",
        r"\.",
        "[ab]",
        "a?",
        "x|y",
        "[](a]",
        "[^]a]",
        r"[\]|]",
    ]
)
PATTERNS = st.lists(st.lists(PIECES, min_size=1, max_size=5).map("".join), min_size=1, max_size=12)
PATHS = st.text("/ab.xy", max_size=6)


@given(PATTERNS, st.lists(PATHS, max_size=20))
def test_the_tree_finds_what_trying_all_in_order_finds(patterns, paths):
    regexes = [re.compile(f"{pattern}$") for pattern in patterns]
    tree = RouteTree()
    for number, regex in enumerate(regexes):
        tree.add(regex, number)
    for path in paths:
        expected = next((n for n, regex in enumerate(regexes) if regex.match(path)), None)
        found = tree.find(path)
        assert (None if found is None else found[0]) == expected, path


def test_flags_of_an_expression_count():
    tree = RouteTree()
    tree.add(re.compile("/abc$", re.IGNORECASE), "any case")
    tree.add(re.compile("/d e f$", re.VERBOSE), "spaces")
    tree.add(re.compile("/ABC$"), "never")
    assert [tree.find(path)[0] for path in ("/ABC", "/abc", "/def")] == [
        "any case",
        "any case",
        "spaces",
    ]


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2))
def test_a_reversed_path_leads_back_to_its_route(args):
    from urllib.parse import unquote

    spec = URLSpec(r"/a/(.+)/b\.c/(?:x)?" if False else r"/a/([^/]+)/b\.c/(.+)", object)
    args = [arg.replace("/", "_").replace("\n", "_") for arg in args]
    path = spec.reverse(*args)
    match = spec.regex.match(path)
    assert match is not None
    assert [unquote(group) for group in match.groups()] == args


def test_all_forms_of_routes_are_taken():
    for rule in [
        ("/", object),
        ("/", object, {"a": 1}),
        ("/", object, "name"),
        ("/", object, {"a": 1}, "name"),
        URLSpec("/", object, name="name"),
    ]:
        assert from_tuple(rule).pattern == "/$"
    assert from_tuple(("/", object, "name")).name == "name"
    for rule in [("/",), "/", 7, (1, 2)]:
        with pytest.raises(TypeError):
            from_tuple(rule)


def test_mistakes_in_routes_raise_at_once():
    with pytest.raises(ValueError, match="no regular expression"):
        URLSpec("/(", object)
    with pytest.raises(ValueError, match="all named or all unnamed"):
        URLSpec(r"/(?P<a>x)(y)", object)
    with pytest.raises(ValueError, match="there is no 'odd'"):
        from_template("/{a:odd}")
    with pytest.raises(ValueError, match="twice"):
        from_template("/{a}/{a}")
    for pattern in (r"/a.b", r"/(a)?", r"/\d"):
        with pytest.raises(ValueError, match="cannot be reversed"):
            URLSpec(pattern, object).reverse()
    with pytest.raises(ValueError, match="takes 1 arguments"):
        URLSpec("/(a)", object).reverse()
