"""Who asks, and whether it is them: signed cookies, the user, the XSRF token."""

from typing import Any, Final

from eyewall.base.lazy import lazy
from eyewall.base.signing import (
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from eyewall.web.cross_origin import cross_origin_refusal
from eyewall.web.engine import escape_html
from eyewall.web.errors import HTTPError
from eyewall.web.handler.response_output import ResponseOutput
from eyewall.web.xsrf import Token, decode_token, encode_token, new_token, same_token

_XSRF_HEADERS: Final = ("X-Xsrftoken", "X-Csrftoken")


class Identity(ResponseOutput):
    """Signed cookies, the current user, and protection against forged requests."""

    def set_signed_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Set a cookie that its reader can tell nobody has changed.

        It needs the setting `cookie_secret`: a long random text, or a dict of them by the
        numbers of key versions with `key_version`, the one that signs.

        Args:
            name: A token.
            value: The value; text is signed as UTF-8.
            expires_days: Days until the browser forgets it; None keeps it for the session.
            version: Of the signature's format.
            kwargs: Further arguments of `set_cookie`.

        Raises:
            RuntimeError: There is no `cookie_secret`.
        """
        signed = self.create_signed_value(name, value, version=version)
        self.set_cookie(name, signed, expires_days=expires_days, **kwargs)

    set_secure_cookie = set_signed_cookie

    def create_signed_value(
        self, name: str, value: str | bytes, version: int | None = None
    ) -> bytes:
        """A value with a signature and a time, as `set_signed_cookie` sends it."""
        settings = self.application.settings
        return create_signed_value(
            _secret(settings), name, value, version=version, key_version=settings.get("key_version")
        )

    def get_signed_cookie(
        self,
        name: str,
        value: str | bytes | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """The value of a signed cookie; None when it is not there, too old, or changed.

        Args:
            name: Its name; a value signed for another name is refused.
            value: What to look at instead of the cookie.
            max_age_days: Days since it was signed that it counts.
            min_version: Oldest format that is taken.

        Raises:
            RuntimeError: There is no `cookie_secret`.
        """
        secret = _secret(self.application.settings)
        if value is None:
            value = self.get_cookie(name)
        return decode_signed_value(
            secret, name, value, max_age_days=max_age_days, min_version=min_version
        )

    get_secure_cookie = get_signed_cookie

    def get_signed_cookie_key_version(
        self, name: str, value: str | bytes | None = None
    ) -> int | None:
        """The version of the key that a signed cookie was signed with."""
        _secret(self.application.settings)
        if value is None:
            value = self.get_cookie(name)
        return None if value is None else get_signature_key_version(value)

    get_secure_cookie_key_version = get_signed_cookie_key_version

    @lazy
    def current_user(self) -> Any:
        """Whom the request comes from: what `get_current_user` returned, or what was set.

        An async `prepare` may set it when finding it out takes waiting.
        """
        return self.get_current_user()

    def get_current_user(self) -> Any:
        """Override it to find out whom the request comes from, for example by a signed cookie."""
        return None

    def get_login_url(self) -> str:
        """Where people log in: the setting `login_url`; override it for another place.

        Raises:
            RuntimeError: There is no such setting.
        """
        url = self.application.settings.get("login_url")
        if not url:
            raise RuntimeError('@authenticated needs the setting "login_url"')
        return str(url)

    @lazy
    def _xsrf(self) -> Token:
        cookie = self.get_cookie(self._xsrf_cookie_name())
        token = None if cookie is None else decode_token(cookie)
        self._has_xsrf_cookie = token is not None
        return token or new_token()

    def _xsrf_cookie_name(self) -> str:
        return str(self.application.settings.get("xsrf_cookie_name", "_xsrf"))

    @lazy
    def xsrf_token(self) -> bytes:
        """The token that pages send back in `_xsrf`, or in the header `X-XSRFToken`.

        Reading it sets the cookie where the browser has none, so it must be read before the
        head is sent. The settings `xsrf_cookie_name`, `xsrf_cookie_kwargs` and
        `xsrf_cookie_version` change the cookie.
        """
        settings = self.application.settings
        version = settings.get("xsrf_cookie_version", 2)
        text = encode_token(self._xsrf, version)
        if not self._has_xsrf_cookie:
            arguments: dict[str, Any] = {
                "path": "/",
                "samesite": "Lax",
                "secure": self.exchange.scheme == "https",
            }
            arguments.update(settings.get("xsrf_cookie_kwargs", {}))
            if self.current_user and "expires_days" not in arguments:
                # It should live at least as long as the login does.
                arguments["expires_days"] = 30
            self.set_cookie(self._xsrf_cookie_name(), text, **arguments)
        return text.encode()

    def check_xsrf_cookie(self) -> None:
        """Refuse a request that cannot show the token; override it for other ways to show it.

        It is called before verbs that change something when the setting `xsrf_cookies` is on.
        Forms send the token in `_xsrf`; scripts, JSON ones too, in the header `X-XSRFToken` or
        `X-CSRFToken`.

        Raises:
            HTTPError: 403; the log line says why.
        """
        sent = self.get_argument("_xsrf", None)
        for name in _XSRF_HEADERS:
            sent = sent or self.exchange.header(name)
        if not sent:
            raise HTTPError(403, "'_xsrf' argument missing from %s", self.exchange.method)
        token = decode_token(sent)
        if token is None or not token.secret:
            raise HTTPError(403, "'_xsrf' argument has invalid format")
        known = self._xsrf
        if not self._has_xsrf_cookie or not same_token(known, token):
            raise HTTPError(403, "XSRF cookie does not match %s argument", self.exchange.method)

    def check_cross_origin(self) -> None:
        """Refuse a request that a page of another site has made, by what browsers say of it.

        It is called first of all, before methods that change something, when the setting
        `cross_origin_protection` is on; it needs neither cookie nor token. Requests without
        `Sec-Fetch-Site` and `Origin` do not come from a browser's page, and pass.

        Raises:
            HTTPError: 403; the log line says why.
        """
        header = self.exchange.header
        refusal = cross_origin_refusal(
            header("Sec-Fetch-Site"),
            header("Origin"),
            self.exchange.host,
            self.check_trusted_origin,
        )
        if refusal is not None:
            raise HTTPError(403, "%s", refusal)

    def check_trusted_origin(self, origin: str) -> bool:
        """Whether pages of another origin may do what this site's own may.

        Args:
            origin: Such as "https://app.example.com". The setting `trusted_origins` lists those
                that may; override it for another rule.
        """
        return origin in self.application.settings.get("trusted_origins", ())

    def _xsrf_may_follow(self) -> bool:
        """Whether the token may be in a body that is still on its way."""
        return False

    def xsrf_form_html(self) -> str:
        """A hidden field with the token, for forms."""
        value = escape_html(self.xsrf_token.decode())
        return f'<input type="hidden" name="_xsrf" value="{value}"/>'


def _secret(settings: dict[str, Any]) -> Any:
    secret = settings.get("cookie_secret")
    if not secret:
        raise RuntimeError(
            'signed cookies need the setting "cookie_secret", for example '
            "Application(..., cookie_secret=os.environ['COOKIE_SECRET'])"
        )
    return secret
