"""Logins: at providers with OAuth and OpenID Connect, and with passwords."""

from eyewall.web.auth.decorators import authenticated, requires
from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.oauth1 import OAuthMixin
from eyewall.web.auth.oauth2 import OAuth2Mixin
from eyewall.web.auth.openid import OpenIDConnectMixin, OpenIDUser
from eyewall.web.auth.passwords import check_password, hash_password, needs_rehash
from eyewall.web.auth.providers import FacebookGraphMixin, GoogleOAuth2Mixin, TwitterMixin

__all__ = [
    "AuthError",
    "FacebookGraphMixin",
    "GoogleOAuth2Mixin",
    "OAuth2Mixin",
    "OAuthMixin",
    "OpenIDConnectMixin",
    "OpenIDUser",
    "TwitterMixin",
    "authenticated",
    "check_password",
    "hash_password",
    "needs_rehash",
    "requires",
]
