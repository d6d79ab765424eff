"""Redirects go to this site, or nowhere."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.safe_redirect import is_safe_redirect, leads_elsewhere


@pytest.mark.parametrize("url", [
    "", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "\t//evil.example", " //evil.example", "/\n/evil.example", "http:evil.example",
    "http:/evil.example", "http:///evil.example", "https://evil.example", "javascript:alert(1)",
    "JaVaScRiPt:alert(1)", "data:text/html,x", "http://h.example@evil.example/",
    "http://user@h.example/", "http://h.example:80/", "http://h.example.evil.example/",
    "http://evil.example\\@h.example/", "http://[", "/\x00", "/\x7f", "/" + "x" * 5000, "inbox",
])  # fmt: skip
def test_ways_out_of_the_site_are_refused(url):
    assert not is_safe_redirect(url, "h.example")
    assert not is_safe_redirect(url)


@pytest.mark.parametrize("host", [None, ""])
def test_a_request_without_a_host_makes_no_address_its_own(host):
    """An address without a host matched a host that was empty, and browsers read it otherwise."""
    assert not is_safe_redirect("http:///evil.example/", host)
    assert is_safe_redirect("/inbox", host)


def test_this_sites_own_addresses_are_safe():
    assert is_safe_redirect("/inbox?page=2#top", "h.example")
    assert is_safe_redirect("https://H.example/inbox", "h.example")
    assert is_safe_redirect("http://h.example:8000/", "h.example:8000")


@given(st.text("/\\:@?#.hx \t\n[]", max_size=12) | st.text(max_size=30))
def test_what_is_safe_leads_to_the_same_host(url):
    if is_safe_redirect(url, "h.example"):
        assert urlsplit(urljoin("http://h.example/login", url)).netloc.lower() == "h.example"


@pytest.mark.parametrize(("template", "value"), [
    ("/{0}/x", "/evil.test"), ("/{0}/x", "\\evil.test"), ("/{0}/x", "\t//evil.test"),
    ("{0}", "https://evil.test/"), ("{0}", "//evil.test"), ("{0}", "javascript:alert(1)"),
    ("https://example.com{0}", ".evil.test"), ("https://example.com{0}", "@evil.test"),
    ("https://example.com{0}", ":8080/"), ("https:{0}", "evil.test"), ("https://{0}", "evil.test"),
])  # fmt: skip
def test_a_request_cannot_choose_the_site_of_a_redirect(template, value):
    assert leads_elsewhere(template, template.format(value))


@pytest.mark.parametrize(("template", "value"), [
    ("/{0}/x", "a"), ("/{0}/x", "a/b"), ("{0}", "a/b"), ("{0}", "é"),
    ("https://example.com{0}", "/a"), ("https://example.com/{0}", "//a"), ("/fixed", ""),
    ("https://elsewhere.test/", ""),
])  # fmt: skip
def test_other_places_on_the_site_can_be_chosen(template, value):
    assert not leads_elsewhere(template, template.format(value))


@given(st.text("/\\:@?#.hx \t\n[]", max_size=12) | st.text(max_size=30))
def test_what_fills_a_template_never_makes_another_host(value):
    target = f"/{value}/x"
    if not leads_elsewhere("/{0}/x", target):
        seen = target.replace("\\", "/").replace("\t", "").replace("\n", "").replace("\r", "")
        assert not seen.lstrip("".join(map(chr, range(33)))).startswith("//")
