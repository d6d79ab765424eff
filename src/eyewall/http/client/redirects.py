"""Where a redirect leads, and what of the request goes along (RFC 9110, section 15.4)."""

import copy
from typing import Final
from urllib.parse import urljoin

from eyewall.http.client.request import HTTPRequest, copied
from eyewall.http.client.url import parse_url

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BODY_HEADERS: Final = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")
_CREDENTIALS: Final = ("Authorization", "Cookie", "Proxy-Authorization", "Host")


def follow(request: HTTPRequest, code: int, location: str) -> HTTPRequest:
    """The request to make next.

    Another origin gets no credentials; POST becomes GET with 301 and 302, everything but HEAD
    with 303.

    Raises:
        ValueError: The new URL cannot be fetched.
    """
    url = urljoin(request.url, location)
    target, before = parse_url(url), parse_url(request.url)
    following = copy.copy(request)
    following.url = url
    following.headers = headers = copied(request.headers)
    if (code == 303 and request.method != "HEAD") or (code < 303 and request.method == "POST"):
        following.method = "GET"
        following.body = following.body_producer = None
        following.expect_100_continue = False
        for name in _BODY_HEADERS:
            headers.pop(name, None)
    if target.origin != before.origin:
        # Empty ones, because None would mean the client's default.
        following.auth_username = following.auth_password = ""
        following.client_cert = following.client_key = ""
        for name in _CREDENTIALS:
            headers.pop(name, None)
    elif following.auth_username is None and target.user is None and before.user is not None:
        following.auth_username, following.auth_password = before.user, before.password
    return following
