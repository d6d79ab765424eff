"""Where a redirect leads, and what of the request goes along (RFC 9110, section 15.4)."""

import dataclasses
from typing import Any
from urllib.parse import urljoin, urlsplit

from eyewall.http.client.request import HTTPRequest, copied

_CODES = frozenset({301, 302, 303, 307, 308})
_BODY_HEADERS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")
_CREDENTIALS = ("Authorization", "Cookie", "Proxy-Authorization", "Host")


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL.

    Raises:
        ValueError: It is not an absolute http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("only absolute http and https URLs can be fetched")
    port = parts.port
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname, port


def follow(request: HTTPRequest, code: int, location: str | None) -> HTTPRequest | None:
    """The request to make next, or None where the response is to be returned.

    Another origin gets no credentials; POST becomes GET with 301 and 302, everything but HEAD
    with 303.

    Raises:
        ValueError: The new URL cannot be fetched.
    """
    if not request.follow_redirects or code not in _CODES or not location:
        return None
    url = urljoin(request.url, location)
    headers = copied(request.headers)
    changes: dict[str, Any] = {}
    if (code == 303 and request.method != "HEAD") or (code < 303 and request.method == "POST"):
        changes |= {"method": "GET", "body": None}
        for name in _BODY_HEADERS:
            headers.pop(name, None)
    if origin(url) != origin(request.url):
        changes |= {"auth_username": None, "auth_password": None}
        for name in _CREDENTIALS:
            headers.pop(name, None)
    left = request.max_redirects - 1
    return dataclasses.replace(
        request, url=url, headers=headers, max_redirects=left, if_modified_since=None, **changes
    )
