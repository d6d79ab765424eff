"""What all logins at a provider share: asking it, reading its answers."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from eyewall.http.client import AsyncHTTPClient, HTTPClientError
from eyewall.web.auth.errors import AuthError

if TYPE_CHECKING:
    from eyewall.web.handler.handler import RequestHandler

FORM: Final = "application/x-www-form-urlencoded"
_LARGEST_ANSWER: Final = 1 << 20


class ProviderClient:
    """Base of the mixins; it asks providers through one HTTP client."""

    def get_auth_http_client(self) -> Any:
        """The client that asks the provider; override it for another one.

        It has `await fetch(url, method=, headers=, body=, follow_redirects=)`, which returns
        `code`, `headers` and `body`, and raises `HTTPClientError` for what is no success.
        """
        return AsyncHTTPClient()

    @property
    def _handler(self) -> "RequestHandler":
        # The mixins may stand before or after RequestHandler among a class's bases, so they
        # cannot derive from it.
        return cast("RequestHandler", self)

    def _own_url(self) -> str:
        """The handler's own URL without its query: where providers send browsers back."""
        request = self._handler.request
        return f"{request.protocol}://{request.host}{request.path}"

    def _hide_query(self) -> None:
        """Keep the query out of what is logged about this request: it holds codes and tokens."""
        self._handler.hide_query()

    def _set_login_cookie(self, name: str, value: str | bytes, lifetime_s: int) -> None:
        """Set a cookie for the time of a login; 0 seconds removes it.

        It is `Lax`, because the browser comes back from the provider's site.
        """
        handler = self._handler
        handler.set_cookie(
            name,
            value,
            max_age=lifetime_s,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=handler.request.protocol == "https",
        )


def url_with(url: str, parameters: Mapping[str, Any]) -> str:
    """A URL with further parameters at the end of its query; those that are None are left out.

    Args:
        url: An absolute URL or a path, with or without a query.
        parameters: Names and values.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    if not given:
        return url
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(given))))
    return urlunsplit((*parts[:3], query, parts[4]))


def read_value(body: bytes, source: str) -> Any:
    """The JSON that a provider answered with.

    Args:
        body: The answer's content.
        source: What it came from, for the error's message.

    Raises:
        AuthError: It is too large, or no JSON; 502.
    """
    if len(body) > _LARGEST_ANSWER:
        raise AuthError(f"{source} answered with more than {_LARGEST_ANSWER} bytes", 502)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise AuthError(f"{source} answered with what is no JSON", 502) from None


def read_object(body: bytes, source: str) -> dict[str, Any]:
    """The JSON object that a provider answered with; see `read_value`."""
    value = read_value(body, source)
    if not isinstance(value, dict):
        raise AuthError(f"{source} answered with what is no JSON object", 502)
    return value


def read_form(body: bytes, source: str) -> dict[str, str]:
    """A form that a provider answered with (RFC 5849, section 2.1); the last of a name counts.

    Raises:
        AuthError: It is too large, or no form; 502.
    """
    if len(body) > _LARGEST_ANSWER:
        raise AuthError(f"{source} answered with more than {_LARGEST_ANSWER} bytes", 502)
    try:
        return dict(
            parse_qsl(body.decode("ascii").strip(), keep_blank_values=True, max_num_fields=100)
        )
    except ValueError:
        raise AuthError(f"{source} answered with what is no form", 502) from None


def refused(error: HTTPClientError, source: str) -> AuthError:
    """What to raise for a fetch that failed: 403 where the provider refuses, 502 otherwise.

    Only the registered `error` code of the answer is told (RFC 6749, section 5.2); the request
    and the rest of the answer may hold secrets.
    """
    reason = ""
    if error.response is not None and len(error.response.body) <= _LARGEST_ANSWER:
        try:
            answer = json.loads(error.response.body)
            reason = f": {answer['error']!s:.60}" if isinstance(answer, dict) else ""
        except (ValueError, KeyError, RecursionError):
            reason = ""
    if not reason.isprintable():
        reason = ""
    status = 403 if 400 <= error.code < 500 else 502
    return AuthError(f"{source} answered {error.code}{reason}", status)
