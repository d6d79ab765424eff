"""A cookie jar for a session: `http.cookiejar`'s, with our headers."""

from email.message import Message
from http.cookiejar import Cookie, CookieJar
from typing import Any, cast
from urllib.request import Request

from eyewall.http.headers import HTTPHeaders


class _Answer:
    """What the jar wants of a response."""

    def __init__(self, headers: HTTPHeaders) -> None:
        self._message = Message()
        for value in headers.get_list("Set-Cookie"):
            self._message.add_header("Set-Cookie", value)

    def info(self) -> Message:
        return self._message


class Cookies:
    """The cookies that servers have set, sent where they belong (RFC 6265).

    Args:
        jar: A jar of the standard library to use.
    """

    def __init__(self, jar: CookieJar | None = None) -> None:
        self.jar = CookieJar() if jar is None else jar

    def field(self, url: str) -> str | None:
        """The value of `Cookie` for a request; None for none."""
        request = Request(url)  # noqa: S310 - it is opened by nobody
        self.jar.add_cookie_header(request)
        return request.get_header("Cookie")

    def learn(self, url: str, headers: HTTPHeaders) -> None:
        """Take the cookies that a response sets."""
        if "Set-Cookie" in headers:
            request = Request(url)  # noqa: S310 - it is opened by nobody
            self.jar.extract_cookies(cast("Any", _Answer(headers)), request)

    def set(
        self, name: str, value: str, domain: str, path: str = "/", secure: bool = False
    ) -> None:
        """Add a cookie for a host."""
        self.jar.set_cookie(
            Cookie(
                version=0, name=name, value=value, port=None, port_specified=False, domain=domain,
                domain_specified=domain.startswith("."), domain_initial_dot=domain.startswith("."),
                path=path, path_specified=True, secure=secure, expires=None, discard=True,
                comment=None, comment_url=None, rest={},
            )
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.jar)

    def get(self, name: str) -> str | None:
        """The value of a cookie, whichever host has set it."""
        return next((cookie.value for cookie in self.jar if cookie.name == name), None)
