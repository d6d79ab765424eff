"""OAuth 2.0, the authorisation code grant (RFC 6749, section 4.1; RFC 7636; RFC 9700)."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from eyewall.http.client import HTTPClientError
from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.pending import LoginState, PendingLogin
from eyewall.web.auth.provider_client import FORM, read_object, read_value, refused, url_with


class AuthorizationCode(LoginState):
    """The steps that logins with an authorisation code have in common."""

    def take_code(self, provider: str) -> tuple[str, PendingLogin]:
        """The code that the browser brings, and the login that it belongs to.

        Raises:
            AuthError: 403; the state is not this browser's, or the provider said no.
        """
        handler = self._handler
        login = self.check_login(provider)
        if (error := handler.get_query_argument("error", None)) is not None:
            raise AuthError(f"the provider refuses the login: {_shown(str(error))}")
        code = str(handler.get_query_argument("code", ""))
        if not code:
            raise AuthError("a login is refused: there is no code")
        return code, login

    async def post_form(
        self, url: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Send a form to a token endpoint and return its answer.

        Raises:
            AuthError: 403 when it refuses, 502 when it answers with what is no JSON object.
            HTTPClientError: It cannot be asked, or fails.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            response = await self.get_auth_http_client().fetch(
                url,
                method="POST",
                headers={"Content-Type": FORM, "Accept": "application/json", **(headers or {})},
                body=urlencode(given),
                # A redirect would carry the code and the secret elsewhere.
                follow_redirects=False,
            )
        except HTTPClientError as error:
            if 400 <= error.code < 500:
                raise refused(error, "the token endpoint") from None
            raise
        return read_object(response.body, "the token endpoint")


class OAuth2Mixin(AuthorizationCode):
    """Logs people in at a provider, or asks its API for them, with OAuth 2.0.

    A subclass sets the addresses. `authorize_redirect` sends the browser away with a `state`;
    when it comes back, `take_login` checks that and gives the code.
    """

    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str

    _OAUTH_CHECK_STATE: bool = True
    """False leaves `state` to the program; without a check, anybody can log somebody else's
    browser into an account of their own."""
    _OAUTH_PKCE: bool = False
    """True for providers that know PKCE (RFC 7636); it needs `_OAUTH_CHECK_STATE`."""
    _OAUTH_TOKEN_IN_QUERY: bool = True
    """False sends access tokens in the header `Authorization` (RFC 6750, section 2.1)."""

    def authorize_redirect(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        extra_params: Mapping[str, Any] | None = None,
        scope: Sequence[str] | None = None,
        response_type: str = "code",
    ) -> None:
        """Send the browser to the provider.

        Args:
            redirect_uri: Where it sends the browser back, as it is registered there.
            client_id: The program's name at the provider.
            client_secret: Not sent here; taken because programs pass it.
            extra_params: Further parameters; a `state` among them is used and checked.
            scope: What to ask for.
            response_type: "code".

        Raises:
            RuntimeError: There is no `cookie_secret` to sign the state with.
        """
        del client_secret
        parameters: dict[str, Any] = {
            "response_type": response_type,
            "redirect_uri": redirect_uri,
            "client_id": client_id,
            "scope": " ".join(scope) if scope else None,
            **(extra_params or {}),
        }
        if self._OAUTH_CHECK_STATE:
            login = self.begin_login(self._OAUTH_AUTHORIZE_URL, parameters.get("state"))
            parameters["state"] = login.state
            if self._OAUTH_PKCE:
                parameters |= pkce_challenge(login.verifier)
        self._handler.redirect(url_with(self._OAUTH_AUTHORIZE_URL, parameters))

    def take_login(self) -> tuple[str, str | None]:
        """The code that the browser brings, and the PKCE verifier to send with it, if any.

        Call it where you exchange the code yourself; the mixins of providers call it for you.

        Raises:
            AuthError: 403; the state is not this browser's, or the provider said no.
        """
        if self._OAUTH_CHECK_STATE:
            code, login = self.take_code(self._OAUTH_AUTHORIZE_URL)
            return code, login.verifier if self._OAUTH_PKCE else None
        return str(self._handler.get_query_argument("code", "")), None

    def _taken_login(self, code: str | None) -> tuple[str, str | None]:
        """As `take_login`, where the program may have read the code already."""
        if not self._OAUTH_CHECK_STATE and code:
            self._hide_query()
            return code, None
        came, verifier = self.take_login()
        if code is not None and code != came:
            raise AuthError("a login is refused: its code is not the one that came with the state")
        return came, verifier

    def _oauth_request_token_url(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        code: str | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> str:
        parameters = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
            **(extra_params or {}),
        }
        return url_with(self._OAUTH_ACCESS_TOKEN_URL, parameters)

    async def oauth2_request(
        self,
        url: str,
        access_token: str | None = None,
        post_args: Mapping[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Ask the provider's API; returns the JSON of its answer.

        Args:
            url: What to ask.
            access_token: On whose behalf.
            post_args: A form to send; the method is then POST, else GET.
            args: Parameters of the query.

        Raises:
            AuthError: 502; the answer is no JSON.
            HTTPClientError: It refuses, cannot be asked, or fails.
        """
        headers: dict[str, str] = {}
        if access_token and self._OAUTH_TOKEN_IN_QUERY:
            args["access_token"] = access_token
        elif access_token:
            headers["Authorization"] = f"Bearer {access_token}"
        options: dict[str, Any] = {"method": "GET"}
        if post_args is not None:
            headers["Content-Type"] = FORM
            options = {"method": "POST", "body": urlencode(post_args)}
        response = await self.get_auth_http_client().fetch(
            url_with(url, args), headers=headers, **options
        )
        return read_value(response.body, "the provider")


def pkce_challenge(verifier: str) -> dict[str, str]:
    """The parameters that tell a provider about a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {"code_challenge": challenge, "code_challenge_method": "S256"}


def _shown(error: str) -> str:
    """An error code as a log may show it: it comes from the browser's address line."""
    return error[:60] if error.isprintable() else "an unprintable error"
