"""Requests of other sites' pages are refused by what browsers say of them."""

import pytest

from eyewall.web.cross_origin import cross_origin_refusal

HOST = "app.example:8000"


def refusal(site=None, origin=None, trusted=()):
    return cross_origin_refusal(site, origin, HOST, lambda each: each in trusted)


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        (None, None),
        ("same-origin", None),
        ("same-origin", "https://app.example:8000"),
        ("none", None),
        (None, "http://app.example:8000"),
        (None, "http://APP.example:8000"),
        ("cross-site", "https://friend.example"),
        (None, "https://friend.example"),
    ],
)
def test_own_and_trusted_pages_pass(site, origin):
    assert refusal(site, origin, {"https://friend.example"}) is None


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        ("cross-site", None),
        ("cross-site", "http://app.example:8000"),
        ("same-site", "https://other.example"),
        ("anything", None),
        (None, "null"),
        (None, "http://app.example"),
        (None, "http://app.example:8001"),
        (None, "http://app.example:8000.evil.example"),
        (None, "http://["),
        (None, "https://friend.example/"),
    ],
)
def test_others_are_refused_with_the_reason(site, origin):
    reason = refusal(site, origin, {"https://friend.example"})
    assert reason is not None
    assert reason.endswith("not allowed")
    assert (site or "Origin") in reason


def test_what_is_shown_of_a_header_is_short():
    assert len(refusal("x" * 10_000, "y" * 10_000)) < 250
