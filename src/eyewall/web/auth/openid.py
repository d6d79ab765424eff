"""OpenID Connect: logins at any provider that describes itself."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import Any, ClassVar
from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

from eyewall.http.client import HTTPClientError
from eyewall.web.auth.discovery import Provider
from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.id_token import ALGORITHMS, Expected, UnknownKeyError, check_id_token
from eyewall.web.auth.oauth2 import AuthorizationCode, pkce_challenge
from eyewall.web.auth.provider_client import read_object, refused, url_with


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIDUser:
    """Who logged in; the tokens are not in its `repr`.

    Args:
        claims: What the id token says: `sub`, and by scope `name`, `email` and others.
        access_token: For the provider's API.
        id_token: For `logout_url`.
        refresh_token: For `refresh`, where the provider gave one.
        expires_at: When the access token ends, in seconds since the epoch.
        scope: What was granted, where the provider says so.
    """

    claims: dict[str, Any]
    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    scope: str | None = None

    @property
    def subject(self) -> str:
        """The user's name at the provider, which never changes; not the e-mail address."""
        return str(self.claims["sub"])


class OpenIDConnectMixin(AuthorizationCode):
    """Logs people in at a provider of OpenID Connect, found by its issuer's address.

    The setting `openid_connect` holds `issuer` and `client_id`, and may hold `client_secret`,
    `redirect_uri`, `scope` (a list) and `max_age` (in seconds).

    Example:
        >>> class Login(RequestHandler, OpenIDConnectMixin):
        ...     async def get(self):
        ...         if not self.is_callback():
        ...             return await self.authorize_redirect()
        ...         user = await self.get_authenticated_user()
        ...         self.set_signed_cookie("user", user.subject)
        ...         self.redirect(self.get_next_url())
    """

    _OIDC_SETTINGS_KEY: str = "openid_connect"
    _OIDC_TRUSTED_AUDIENCES: Sequence[str] = ()

    _providers: ClassVar["WeakKeyDictionary[Any, dict[str, Provider]]"] = WeakKeyDictionary()

    def get_openid_settings(self) -> dict[str, Any]:
        """The setting `openid_connect`; override it where it depends on the request."""
        handler = self._handler
        handler.require_setting(self._OIDC_SETTINGS_KEY, "the login with OpenID Connect")
        settings: dict[str, Any] = handler.settings[self._OIDC_SETTINGS_KEY]
        return settings

    def get_redirect_uri(self) -> str:
        """Where the provider sends browsers back: from the setting, else this handler's URL."""
        return self.get_openid_settings().get("redirect_uri") or self._own_url()

    def is_callback(self) -> bool:
        """Whether the browser comes back from the provider."""
        handler = self._handler
        names = ("code", "error", "state")
        return any(handler.get_query_argument(name, None) is not None for name in names)

    async def authorize_redirect(
        self,
        redirect_uri: str | None = None,
        scope: Sequence[str] | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> None:
        """Send the browser to the provider, with state, nonce and PKCE challenge.

        Args:
            redirect_uri: Where it comes back, as registered; `get_redirect_uri()` by default.
            scope: What to ask for, beside "openid"; the setting, or "profile" and "email".
            extra_params: Further parameters, for example `prompt` or `login_hint`.

        Raises:
            AuthError: 502; the provider cannot be asked about itself.
            RuntimeError: A setting is missing.
        """
        settings = self.get_openid_settings()
        metadata = await self._provider().metadata(self._fetch)
        login = self.begin_login(settings["issuer"])
        wanted = scope if scope is not None else settings.get("scope", ("profile", "email"))
        parameters = {
            **(extra_params or {}),
            "response_type": "code",
            "client_id": settings["client_id"],
            "redirect_uri": redirect_uri or self.get_redirect_uri(),
            "scope": " ".join(["openid", *(one for one in wanted if one != "openid")]),
            "state": login.state,
            "nonce": login.nonce,
            "max_age": settings.get("max_age"),
            **pkce_challenge(login.verifier),
        }
        self._handler.redirect(url_with(metadata["authorization_endpoint"], parameters))

    async def get_authenticated_user(self, redirect_uri: str | None = None) -> OpenIDUser:
        """The user who came back, once all that they brought is checked.

        Args:
            redirect_uri: As it was given to `authorize_redirect`.

        Raises:
            AuthError: 403 when something is not right, 502 when the provider fails.
        """
        settings = self.get_openid_settings()
        issuer: str = settings["issuer"]
        code, login = self.take_code(issuer)
        metadata = await self._provider().metadata(self._fetch)
        self._check_issuer(metadata)
        answer = await self._ask_for_tokens(
            metadata,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri or self.get_redirect_uri(),
                "code_verifier": login.verifier,
            },
        )
        access_token = _text(answer, "access_token")
        claims = await self._check(
            answer.get("id_token"),
            Expected(
                issuer=issuer,
                client_id=settings["client_id"],
                nonce=login.nonce,
                access_token=access_token,
                trusted_audiences=self._OIDC_TRUSTED_AUDIENCES,
                max_age_s=settings.get("max_age"),
            ),
        )
        return OpenIDUser(
            claims=claims,
            access_token=access_token,
            id_token=_text(answer, "id_token"),
            refresh_token=_text_or_none(answer, "refresh_token"),
            expires_at=_expiry(answer),
            scope=_text_or_none(answer, "scope"),
        )

    async def refresh(self, user: OpenIDUser) -> OpenIDUser:
        """The same user with new tokens (Core, section 12).

        Keep what it returns: providers take a refresh token once.

        Raises:
            AuthError: 403 when the provider refuses or names another user, 502 when it fails.
            ValueError: There is no refresh token.
        """
        if user.refresh_token is None:
            raise ValueError("the user has no refresh token; ask for the scope offline_access")
        settings = self.get_openid_settings()
        metadata = await self._provider().metadata(self._fetch)
        answer = await self._ask_for_tokens(
            metadata, {"grant_type": "refresh_token", "refresh_token": user.refresh_token}
        )
        access_token = _text(answer, "access_token")
        renewed = replace(
            user,
            access_token=access_token,
            refresh_token=_text_or_none(answer, "refresh_token") or user.refresh_token,
            expires_at=_expiry(answer),
            scope=_text_or_none(answer, "scope") or user.scope,
        )
        if "id_token" not in answer:
            return renewed
        claims = await self._check(
            answer["id_token"],
            Expected(
                issuer=settings["issuer"],
                client_id=settings["client_id"],
                subject=user.subject,
                access_token=access_token,
                trusted_audiences=self._OIDC_TRUSTED_AUDIENCES,
            ),
        )
        return replace(renewed, claims=claims, id_token=_text(answer, "id_token"))

    async def get_user_info(self, user: OpenIDUser) -> dict[str, Any]:
        """What the provider says about the user now (Core, section 5.3).

        Raises:
            AuthError: 403 when it refuses or answers about another user, 502 when it fails.
        """
        metadata = await self._provider().metadata(self._fetch)
        url = metadata.get("userinfo_endpoint")
        if url is None:
            raise AuthError("the provider has no userinfo endpoint", 502)
        try:
            body = await self._fetch(url, {"Authorization": f"Bearer {user.access_token}"})
        except HTTPClientError as error:
            raise refused(error, "the userinfo endpoint") from None
        answer = read_object(body, "the userinfo endpoint")
        if answer.get("sub") != user.subject:
            raise AuthError("the userinfo endpoint answered about another user")
        return answer

    async def logout_url(
        self, user: OpenIDUser | None = None, post_logout_redirect_uri: str | None = None
    ) -> str | None:
        """Where to send the browser to log out at the provider too; None when it has no such page.

        Args:
            user: Who logs out; without it the provider may ask.
            post_logout_redirect_uri: Where the provider sends the browser back, as registered.

        Raises:
            AuthError: 502; the provider cannot be asked about itself.
        """
        metadata = await self._provider().metadata(self._fetch)
        url = metadata.get("end_session_endpoint")
        if url is None:
            return None
        parameters = {
            "id_token_hint": None if user is None else user.id_token,
            "client_id": self.get_openid_settings()["client_id"],
            "post_logout_redirect_uri": post_logout_redirect_uri,
        }
        return url_with(url, parameters)

    def _provider(self) -> Provider:
        issuer: str = self.get_openid_settings()["issuer"]
        known = self._providers.setdefault(self._handler.application, {})
        if issuer not in known:
            known[issuer] = Provider(issuer)
        return known[issuer]

    async def _fetch(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        response = await self.get_auth_http_client().fetch(
            url,
            headers={"Accept": "application/json", **(headers or {})},
            follow_redirects=False,
        )
        body: bytes = response.body
        return body

    def _check_issuer(self, metadata: Mapping[str, Any]) -> None:
        """See that the answer is this provider's, not another's (RFC 9207, section 2.4)."""
        came = self._handler.get_query_argument("iss", None)
        required = metadata.get("authorization_response_iss_parameter_supported") is True
        if (came is not None or required) and came != metadata["issuer"]:
            raise AuthError("a login is refused: the answer is that of another issuer")

    async def _ask_for_tokens(
        self, metadata: Mapping[str, Any], fields: dict[str, Any]
    ) -> dict[str, Any]:
        settings = self.get_openid_settings()
        client_id, secret = settings["client_id"], settings.get("client_secret")
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        headers: dict[str, str] = {}
        if secret is None:
            fields["client_id"] = client_id
        elif "client_secret_basic" in methods:
            # RFC 6749, section 2.3.1: both halves are encoded as in a form first.
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        else:
            fields |= {"client_id": client_id, "client_secret": secret}
        try:
            return await self.post_form(metadata["token_endpoint"], fields, headers)
        except HTTPClientError as error:
            raise refused(error, "the token endpoint") from None

    async def _check(self, token: object, expected: Expected) -> dict[str, Any]:
        provider = self._provider()
        metadata = await provider.metadata(self._fetch)
        offered = metadata.get("id_token_signing_alg_values_supported")
        algorithms = offered if isinstance(offered, list) else ["RS256"]
        taken = [one for one in algorithms if isinstance(one, str) and one in ALGORITHMS]
        for renew in (False, True):
            keys = await provider.keys(self._fetch, renew=renew)
            try:
                return check_id_token(token, keys, expected, algorithms=taken)
            except UnknownKeyError:
                continue
        raise AuthError("the id token is signed with a key that the provider does not publish")


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise AuthError(f"the token endpoint sent no {name}", 502)
    return value


def _text_or_none(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) and value else None


def _expiry(answer: Mapping[str, Any]) -> float | None:
    seconds = answer.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return time() + min(max(seconds, 0), 10**9)
