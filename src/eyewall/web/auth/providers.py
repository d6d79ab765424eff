"""Logins at Google, Facebook and Twitter."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from eyewall.http.client import HTTPClientError
from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.oauth1 import OAuthMixin
from eyewall.web.auth.oauth2 import OAuth2Mixin
from eyewall.web.auth.provider_client import FORM, read_object, read_value, refused, url_with


class GoogleOAuth2Mixin(OAuth2Mixin):
    """Logs people in with their Google account.

    The setting `google_oauth` holds the program's `key` and `secret` at Google, and may hold its
    `redirect_uri`.

    Example:
        >>> class Login(RequestHandler, GoogleOAuth2Mixin):
        ...     async def get(self):
        ...         if self.get_argument("code", None):
        ...             tokens = await self.get_authenticated_user()
        ...             user = await self.get_user_info(tokens["access_token"])
        ...         else:
        ...             self.authorize_redirect(
        ...                 redirect_uri=self.get_redirect_uri(),
        ...                 client_id=self.get_google_oauth_settings()["key"],
        ...                 scope=["openid", "email", "profile"],
        ...             )
    """

    _OAUTH_AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
    _OAUTH_ACCESS_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    _OAUTH_USERINFO_URL = "https://openidconnect.googleapis.com/v1/userinfo"
    _OAUTH_NO_CALLBACKS = False
    _OAUTH_SETTINGS_KEY = "google_oauth"
    _OAUTH_PKCE = True

    def get_google_oauth_settings(self) -> dict[str, str]:
        """The program's `key` and `secret` at Google: the setting `google_oauth`.

        Override it where they depend on the request.
        """
        handler = self._handler
        handler.require_setting(self._OAUTH_SETTINGS_KEY, "the login at Google")
        settings: dict[str, str] = handler.settings[self._OAUTH_SETTINGS_KEY]
        return settings

    def get_redirect_uri(self) -> str:
        """Where Google sends browsers back: from the setting, else this handler's own URL."""
        return self.get_google_oauth_settings().get("redirect_uri") or self._own_url()

    async def get_authenticated_user(
        self,
        redirect_uri: str | None = None,
        code: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> dict[str, Any]:
        """The tokens of the user who came back: `access_token`, `id_token` and others.

        Args:
            redirect_uri: As it was given to `authorize_redirect`.
            code: The code that came, where the program has read it.
            client_id: Instead of the setting's `key`.
            client_secret: Instead of the setting's `secret`.

        Raises:
            AuthError: 403 when the browser has not begun this login, or Google refuses.
            HTTPClientError: Google cannot be asked, or fails.
        """
        code, verifier = self._taken_login(code)
        if client_id is None or client_secret is None:
            settings = self.get_google_oauth_settings()
            client_id = client_id or settings["key"]
            client_secret = client_secret or settings["secret"]
        return await self.post_form(
            self._OAUTH_ACCESS_TOKEN_URL,
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": redirect_uri or self.get_redirect_uri(),
                "client_id": client_id,
                "client_secret": client_secret,
            },
        )

    async def get_user_info(self, access_token: str) -> dict[str, Any]:
        """Who the user is: `sub`, `name`, `email`, `picture` and others, by scope.

        Raises:
            HTTPClientError: Google refuses, cannot be asked, or fails.
        """
        response = await self.get_auth_http_client().fetch(
            self._OAUTH_USERINFO_URL, headers={"Authorization": f"Bearer {access_token}"}
        )
        return read_object(response.body, "Google")


class FacebookGraphMixin(OAuth2Mixin):
    """Logs people in with their Facebook account, and asks the Graph API."""

    _OAUTH_ACCESS_TOKEN_URL = "https://graph.facebook.com/oauth/access_token"  # noqa: S105 - an address
    _OAUTH_AUTHORIZE_URL = "https://www.facebook.com/dialog/oauth"
    _OAUTH_NO_CALLBACKS = False
    _FACEBOOK_BASE_URL = "https://graph.facebook.com"
    _FACEBOOK_FIELDS = ("id", "name", "first_name", "last_name", "locale", "picture", "link")

    async def get_authenticated_user(
        self,
        redirect_uri: str,
        client_id: str,
        client_secret: str,
        code: str | None = None,
        extra_fields: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """The user who came back: the fields of the profile, `access_token`, `session_expires`.

        Args:
            redirect_uri: As it was given to `authorize_redirect`.
            client_id: The program's id at Facebook.
            client_secret: Its secret.
            code: The code that came, where the program has read it.
            extra_fields: Further fields of the profile.

        Raises:
            AuthError: 403 when the browser has not begun this login, or Facebook refuses.
            HTTPClientError: Facebook cannot be asked, or fails.
        """
        code, verifier = self._taken_login(code)
        tokens = await self._exchange(
            self._oauth_request_token_url(
                redirect_uri, client_id, client_secret, code, {"code_verifier": verifier}
            )
        )
        access_token = tokens.get("access_token")
        if not isinstance(access_token, str):
            raise AuthError("Facebook answered with what is no token", 502)
        fields = {*self._FACEBOOK_FIELDS, *(extra_fields or ())}
        profile = await self.facebook_request(
            "/me",
            access_token=access_token,
            appsecret_proof=appsecret_proof(client_secret, access_token),
            fields=",".join(sorted(fields)),
        )
        user = {field: profile.get(field) for field in fields}
        expires = tokens.get("expires_in")
        user["access_token"] = access_token
        user["session_expires"] = None if expires is None else str(expires)
        return user

    async def _exchange(self, url: str) -> dict[str, Any]:
        try:
            response = await self.get_auth_http_client().fetch(url, follow_redirects=False)
        except HTTPClientError as error:
            if 400 <= error.code < 500:
                raise refused(error, "Facebook") from None
            raise
        return read_object(response.body, "Facebook")

    async def facebook_request(
        self,
        path: str,
        access_token: str | None = None,
        post_args: Mapping[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Ask the Graph API; returns the JSON of its answer.

        With the setting `facebook_secret` each request of a user shows the proof that the
        program has the secret.

        Args:
            path: A path of the API, for example "/me/feed".
            access_token: On whose behalf.
            post_args: A form to send; the method is then POST, else GET.
            args: Parameters of the query.

        Raises:
            AuthError: 502; the answer is no JSON object.
            HTTPClientError: It refuses, cannot be asked, or fails.
        """
        secret = self._handler.settings.get("facebook_secret")
        if access_token and secret and "appsecret_proof" not in args:
            args["appsecret_proof"] = appsecret_proof(secret, access_token)
        return await self.oauth2_request(
            self._FACEBOOK_BASE_URL + path, access_token, post_args, **args
        )


def appsecret_proof(client_secret: str, access_token: str) -> str:
    """What shows Facebook that a request comes from the program that holds the secret."""
    return hmac.new(client_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


class TwitterMixin(OAuthMixin):
    """Logs people in with their Twitter account, and asks its API, version 1.1.

    The settings `twitter_consumer_key` and `twitter_consumer_secret` hold the program's own.
    """

    _OAUTH_REQUEST_TOKEN_URL = "https://api.twitter.com/oauth/request_token"  # noqa: S105 - an address
    _OAUTH_ACCESS_TOKEN_URL = "https://api.twitter.com/oauth/access_token"  # noqa: S105 - an address
    _OAUTH_AUTHORIZE_URL = "https://api.twitter.com/oauth/authorize"
    _OAUTH_AUTHENTICATE_URL = "https://api.twitter.com/oauth/authenticate"
    _OAUTH_NO_CALLBACKS = False
    _TWITTER_BASE_URL = "https://api.twitter.com/1.1"

    async def authenticate_redirect(self, callback_uri: str | None = None) -> None:
        """As `authorize_redirect`, but who has allowed the program before is not asked again.

        Args:
            callback_uri: Where Twitter sends the browser back.

        Raises:
            AuthError: Twitter refuses.
            HTTPClientError: Twitter cannot be asked, or fails.
        """
        await self._redirect_with_token(self._OAUTH_AUTHENTICATE_URL, callback_uri)

    async def twitter_request(
        self,
        path: str,
        access_token: Mapping[str, Any] | None = None,
        post_args: Mapping[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Ask the API; returns the JSON of its answer.

        Args:
            path: A path of the API without ".json", for example "/statuses/user_timeline", or a
                whole address.
            access_token: On whose behalf.
            post_args: A form to send; the method is then POST, else GET.
            args: Parameters of the query.

        Raises:
            AuthError: 502; the answer is no JSON.
            HTTPClientError: It refuses, cannot be asked, or fails.
        """
        whole = path.startswith(("http://", "https://"))
        url = path if whole else f"{self._TWITTER_BASE_URL}{path}.json"
        method = "GET" if post_args is None else "POST"
        if access_token:
            args |= self._oauth_request_parameters(
                url, access_token, {**args, **(post_args or {})}, method=method
            )
        options: dict[str, Any] = {"method": method}
        if post_args is not None:
            options |= {"body": urlencode(post_args), "headers": {"Content-Type": FORM}}
        response = await self.get_auth_http_client().fetch(url_with(url, args), **options)
        return read_value(response.body, "Twitter")

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = self._handler
        for name in ("twitter_consumer_key", "twitter_consumer_secret"):
            handler.require_setting(name, "the login at Twitter")
        return {
            "key": handler.settings["twitter_consumer_key"],
            "secret": handler.settings["twitter_consumer_secret"],
        }

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> dict[str, Any] | None:
        user: dict[str, Any] = await self.twitter_request(
            "/account/verify_credentials", access_token=access_token
        )
        if user:
            user["username"] = user.get("screen_name")
        return user
