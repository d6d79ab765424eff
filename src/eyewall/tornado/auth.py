"""Logins at other sites, under Tornado's names."""

from eyewall.tornado.legacy.openid2 import OpenIdMixin
from eyewall.web.auth import (
    AuthError,
    FacebookGraphMixin,
    GoogleOAuth2Mixin,
    OAuth2Mixin,
    OAuthMixin,
    OpenIDConnectMixin,
    TwitterMixin,
)

__all__ = [
    "AuthError",
    "FacebookGraphMixin",
    "GoogleOAuth2Mixin",
    "OAuth2Mixin",
    "OAuthMixin",
    "OpenIDConnectMixin",
    "OpenIdMixin",
    "TwitterMixin",
]
