"""OAuth 1.0 and 1.0a (RFC 5849): logins at a provider that signs with shared secrets."""

import base64
import binascii
import hmac
import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from eyewall.http.client import HTTPClientError
from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.extra import library
from eyewall.web.auth.provider_client import ProviderClient, read_form, refused, url_with
from eyewall.web.safe_redirect import is_safe_redirect

_COOKIE: Final = "_oauth_request_token"
_LIFETIME_S: Final = 600

# At DEBUG the library logs all that it signs, tokens and verifiers among it. Who wants to see
# that can set the level afterwards.
if (_library_log := logging.getLogger("oauthlib")).level == logging.NOTSET:
    _library_log.setLevel(logging.INFO)


class OAuthMixin(ProviderClient):
    """Logs people in at a provider with OAuth 1.0 or 1.0a.

    A subclass sets the three addresses, and defines `_oauth_consumer_token` and
    `_oauth_get_user_future`. The handler of the login calls `authorize_redirect` first, and
    `get_authenticated_user` when the browser comes back with an `oauth_token`.
    """

    _OAUTH_REQUEST_TOKEN_URL: str
    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str
    _OAUTH_VERSION: str = "1.0a"
    """"1.0a", or "1.0" for providers without verifiers."""
    _OAUTH_NO_CALLBACKS: bool = False
    """True when the provider sends browsers back to one registered address only."""

    def _oauth_consumer_token(self) -> dict[str, Any]:
        """The program's own `key` and `secret` at the provider; define it in a subclass."""
        raise NotImplementedError

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> dict[str, Any] | None:
        """The user to whom an access token belongs; define it in a subclass."""
        raise NotImplementedError

    async def authorize_redirect(
        self,
        callback_uri: str | None = None,
        extra_params: Mapping[str, Any] | None = None,
        http_client: Any = None,
    ) -> None:
        """Fetch a request token, and send the browser to the provider with it.

        Args:
            callback_uri: Where the provider sends the browser back, absolute or relative to this
                request; "oob" for a program that cannot be called back; None for the address
                that is registered.
            extra_params: Further parameters of the request for the token.
            http_client: Asks the provider, instead of `get_auth_http_client()`.

        Raises:
            AuthError: The provider refuses, or answers with what is no token.
            HTTPClientError: The provider cannot be asked, or fails.
            ValueError: A callback for a provider that takes none.
        """
        await self._redirect_with_token(
            self._OAUTH_AUTHORIZE_URL, callback_uri, extra_params, http_client
        )

    async def _redirect_with_token(
        self,
        url: str,
        callback_uri: str | None,
        extra_params: Mapping[str, Any] | None = None,
        http_client: Any = None,
    ) -> None:
        if callback_uri and self._OAUTH_NO_CALLBACKS:
            raise ValueError("this provider takes no callback_uri")
        if callback_uri and callback_uri != "oob":
            callback_uri = urljoin(self._handler.request.full_url(), callback_uri)
        revised = self._OAUTH_VERSION == "1.0a"
        body = await self._fetch_token(
            self._oauth_request_token_url(callback_uri if revised else None, extra_params),
            http_client,
        )
        token = _read_token(body)
        self._set_login_cookie(_COOKIE, _pack(token), _LIFETIME_S)
        parameters = {"oauth_token": token["key"]}
        if callback_uri and not revised:
            parameters["oauth_callback"] = callback_uri
        self._handler.redirect(url_with(url, parameters))

    async def get_authenticated_user(self, http_client: Any = None) -> dict[str, Any]:
        """The user who came back from the provider, with the `access_token`.

        Args:
            http_client: Asks the provider, instead of `get_auth_http_client()`.

        Raises:
            AuthError: 403 when the browser has not begun this login, or the provider refuses.
            HTTPClientError: The provider cannot be asked, or fails.
        """
        self._hide_query()
        handler = self._handler
        token = self._begun_token(str(handler.get_argument("oauth_token", "")))
        verifier = handler.get_argument("oauth_verifier", None)
        body = await self._fetch_token(
            self._oauth_access_token_url(token, None if verifier is None else str(verifier)),
            http_client,
        )
        access_token = _read_token(body)
        user = await self._oauth_get_user_future(access_token)
        if not user:
            raise AuthError("the provider does not say who the user is", 502)
        user["access_token"] = access_token
        return user

    def _begun_token(self, came: str) -> dict[str, Any]:
        """The request token of this browser; it counts once."""
        cookie = self._handler.get_cookie(_COOKIE)
        if not cookie:
            raise AuthError("a login is refused: its request token has no cookie beside it")
        self._set_login_cookie(_COOKIE, "", 0)
        token = _unpack(cookie)
        if token is None or not hmac.compare_digest(
            token["key"].encode(), came.encode("utf-8", "replace")
        ):
            raise AuthError("a login is refused: its request token is not this browser's")
        return token

    def _oauth_request_token_url(
        self, callback_uri: str | None = None, extra_params: Mapping[str, Any] | None = None
    ) -> str:
        parameters = {"oauth_callback": callback_uri, **(extra_params or {})}
        return self._signed_url(self._OAUTH_REQUEST_TOKEN_URL, None, parameters)

    def _oauth_access_token_url(self, request_token: dict[str, Any], verifier: str | None) -> str:
        parameters = {"oauth_verifier": verifier}
        return self._signed_url(self._OAUTH_ACCESS_TOKEN_URL, request_token, parameters)

    def _oauth_request_parameters(
        self,
        url: str,
        access_token: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        method: str = "GET",
    ) -> dict[str, str]:
        """The `oauth_` parameters, signature among them, for a request to the provider's API.

        Args:
            url: What is asked, without its parameters.
            access_token: A user's `key` and `secret`.
            parameters: The parameters of the query, or of the form that is sent.
            method: The request's method.
        """
        signed = self._signed_url(url, access_token, parameters or {}, method)
        return {
            name: value
            for name, value in parse_qsl(urlsplit(signed).query, keep_blank_values=True)
            if name.startswith("oauth_")
        }

    def _signed_url(
        self,
        url: str,
        token: Mapping[str, Any] | None,
        parameters: Mapping[str, Any],
        method: str = "GET",
    ) -> str:
        oauth1 = library("oauthlib.oauth1", "OAuth 1.0")
        consumer = self._oauth_consumer_token()
        client = oauth1.Client(
            consumer["key"],
            client_secret=consumer["secret"],
            resource_owner_key=token and token["key"],
            resource_owner_secret=token and token["secret"],
            signature_type=oauth1.SIGNATURE_TYPE_QUERY,
        )
        signed: str = client.sign(url_with(url, parameters), http_method=method)[0]
        return signed

    async def _fetch_token(self, url: str, http_client: Any) -> bytes:
        client = http_client or self.get_auth_http_client()
        try:
            response = await client.fetch(url, follow_redirects=False)
        except HTTPClientError as error:
            if 400 <= error.code < 500:
                raise refused(error, "the provider") from None
            raise
        body: bytes = response.body
        return body

    def get_next_url(self, default: str = "/") -> str:
        """The request's argument `next` when it is on this site, else `default`.

        OAuth 1.0 has no place of its own for it: put it into `callback_uri`.
        """
        url = str(self._handler.get_query_argument("next", ""))
        return url if is_safe_redirect(url, self._handler.request.host) else default


def _read_token(body: bytes) -> dict[str, Any]:
    """A token, with what else was in the answer."""
    fields = read_form(body, "the provider")
    try:
        token: dict[str, Any] = {
            "key": fields.pop("oauth_token"),
            "secret": fields.pop("oauth_token_secret"),
        }
    except KeyError:
        raise AuthError("the provider answered with what is no token", 502) from None
    fields.pop("oauth_callback_confirmed", None)
    return {**fields, **token}


def _pack(token: Mapping[str, Any]) -> str:
    halves = (base64.b64encode(token[half].encode()).decode() for half in ("key", "secret"))
    return "|".join(halves)


def _unpack(cookie: str) -> dict[str, Any] | None:
    key, _, secret = cookie.partition("|")
    try:
        return {
            "key": base64.b64decode(key, validate=True).decode(),
            "secret": base64.b64decode(secret, validate=True).decode(),
        }
    except (binascii.Error, ValueError):
        return None
