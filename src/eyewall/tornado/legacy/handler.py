"""`RequestHandler` with what only Tornado's has."""

import asyncio
import datetime
from collections.abc import Mapping
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Any, ClassVar

from eyewall.http.dates import format_date
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler as _RequestHandler

_ATTRIBUTES = ("domain", "path", "samesite")


class RequestHandler(_RequestHandler):
    """As `eyewall.web.RequestHandler`, with Tornado's forms of cookies and redirects.

    Cookies are quoted as `http.cookies` does it; a second cookie of a name replaces the first,
    whatever its domain. `redirect` sends the URL as it is given. `finish` returns a future.
    """

    _late_verbs = True

    _template_loaders: ClassVar[dict[str, Any]] = {}
    """Always empty: loaders belong to their application."""

    @property
    def _write_buffer(self) -> list[bytes]:
        """What was written and not sent yet."""
        if self._chunks is not None:
            return self._chunks
        return [self._chunk] if self._chunk else []

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> "asyncio.Future[None]":
        """End the answer; see `eyewall.web.RequestHandler.finish`."""
        if self.exchange.connected or self._finished:
            super().finish(chunk)
        else:
            # The program has cut the connection, or the client has.
            self._finished = True
            self._after_finish()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def options(self, *_args: str, **_kwargs: str) -> None:
        """Refuse the method, as all that a class does not define."""
        raise HTTPError(405)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Answer with a redirect to `url`, which is sent as it is.

        Raises:
            RuntimeError: The head is sent already.
            ValueError: A status that is no redirect, or a URL that cannot be sent.
        """
        if self._headers_written:
            raise RuntimeError("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not 300 <= status <= 399:
            raise ValueError(f"{status} is no redirect; its status is from 300 to 399")
        self.set_status(status)
        self.set_header("Location", url.encode())
        super().finish()

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: float | tuple[int, ...] | datetime.datetime | None = None,
        path: str = "/",
        expires_days: float | None = None,
        *,
        max_age: int | None = None,
        httponly: bool = False,
        secure: bool = False,
        samesite: str | None = None,
        partitioned: bool = False,
        **kwargs: Any,
    ) -> None:
        """Set a cookie; arguments are those of `eyewall.web.RequestHandler.set_cookie`.

        Raises:
            CookieError: A part that cannot be sent.
            ValueError: `max_age` is no number.
        """
        if expires_days is not None and expires is None:
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=expires_days)
        # Programs may write the attributes in any case.
        other = {key.lower(): argument for key, argument in kwargs.items()}
        attributes: dict[str, Any] = {
            "domain": other.pop("domain", domain),
            "path": other.pop("path", path),
            "samesite": other.pop("samesite", samesite),
            "max-age": other.pop("max_age", other.pop("max-age", max_age)),
            "httponly": other.pop("httponly", httponly),
            "secure": other.pop("secure", secure),
        }
        for key, argument in kwargs.items():
            if isinstance(argument, str):
                _check(key, argument)
        if other:
            raise TypeError(f"a cookie has no attributes {', '.join(other)}")
        text = _cookie_text(name, value, expires, attributes)
        if partitioned:
            text += "; Partitioned"
        if self._cookies_out is None:
            self._cookies_out = {}
        self._cookies_out[name, None, None] = text


def _cookie_text(name: str, value: str | bytes, expires: Any, attributes: Mapping[str, Any]) -> str:
    """The value of a `Set-Cookie` field, in the form of `http.cookies`."""
    _check("name", name)
    for key in _ATTRIBUTES:
        if attributes[key]:
            _check(key, attributes[key])
    text = value.decode() if isinstance(value, bytes) else value
    if any(ord(char) < 0x20 for char in text):
        raise ValueError(f"Invalid cookie {name!r}: {text!r} has control characters")
    cookies: SimpleCookie = SimpleCookie()
    cookies[name] = text
    morsel: Morsel[str] = cookies[name]
    if expires is not None:
        morsel["expires"] = format_date(expires)
    if attributes["max-age"] is not None:
        morsel["max-age"] = str(int(attributes["max-age"]))
    for key in _ATTRIBUTES:
        if attributes[key]:
            morsel[key] = attributes[key]
    for key in ("httponly", "secure"):
        if attributes[key]:
            morsel[key] = True
    return morsel.OutputString()


def _check(attribute: str, text: str) -> None:
    if any(char == ";" or ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise CookieError(f"Invalid cookie attribute {attribute}={text!r}")
