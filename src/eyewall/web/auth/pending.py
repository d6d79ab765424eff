"""Logins that a browser has begun: what must come back from the provider with it.

A login's state, its nonce and its PKCE verifier are kept in one signed cookie, so they belong
to the browser that began the login: a link that somebody else prepared logs nobody in (RFC
6749, section 10.12; RFC 9700, section 2.1). Several tabs may log in at once; a few are kept.
"""

import hmac
import secrets
import time
from typing import Final

import msgspec

from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.provider_client import ProviderClient
from eyewall.web.safe_redirect import is_safe_redirect

LIFETIME_S: Final = 600
_MOST: Final = 4
_LONGEST: Final = 200
_LONGEST_NEXT: Final = 512
_DAY: Final = 86400


class PendingLogin(msgspec.Struct, frozen=True, array_like=True):
    """One login that was begun; `started` is in seconds since the epoch."""

    state: str
    nonce: str
    verifier: str
    provider: str
    next_url: str
    started: int

    def __repr__(self) -> str:
        """Without what must not be in a log."""
        return f"<PendingLogin at {self.provider!r}>"


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[PendingLogin]).decode


class LoginState(ProviderClient):
    """Begins logins, and checks that the browser that comes back is the one that began."""

    _finished_login: PendingLogin | None = None

    def begin_login(self, provider: str, state: str | None = None) -> PendingLogin:
        """Remember a login in the browser's cookie.

        The argument `next` of the request is remembered too, when it is on this site.

        Args:
            provider: Names the provider; the login can be ended there only.
            state: The state, where the program makes it itself.

        Raises:
            RuntimeError: There is no `cookie_secret`.
            ValueError: The state has more than 200 characters.
        """
        if state is not None and not 0 < len(state) <= _LONGEST:
            raise ValueError(f"state must have 1 to {_LONGEST} characters")
        login = PendingLogin(
            state=state or secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            # RFC 7636, section 4.1: 43 to 128 characters.
            verifier=secrets.token_urlsafe(32),
            provider=provider,
            next_url=self._wanted_next(),
            started=int(time.time()),
        )
        self._keep([*self._pending(), login][-_MOST:])
        return login

    def check_login(self, provider: str) -> PendingLogin:
        """The login that this request ends; it counts once.

        Args:
            provider: As it was given to `begin_login`.

        Raises:
            AuthError: 403; this browser has begun no such login, or not lately.
        """
        self._hide_query()
        # The address of this request holds a code: nobody should keep it, or be told it by a link
        # on the page (RFC 9700, section 4.2.4).
        self._handler.set_header("Cache-Control", "no-store")
        self._handler.set_header("Referrer-Policy", "no-referrer")
        state = self._handler.get_query_argument("state", "")
        pending = self._pending()
        found = None
        for login in pending:
            if hmac.compare_digest(login.state.encode(), state.encode("utf-8", "replace")):
                found = login
        if found is None:
            why = "does not match this browser's cookie" if pending else "has no cookie beside it"
            raise AuthError(f"a login is refused: its state {why}")
        self._keep([login for login in pending if login is not found])
        if found.provider != provider:
            raise AuthError("a login is refused: its state is that of another provider")
        self._finished_login = found
        return found

    def get_next_url(self, default: str = "/") -> str:
        """Where to go after the login: the `next` that it was begun with, if that is on this site.

        Args:
            default: Where to, when there is none.
        """
        if self._finished_login is not None:
            return self._finished_login.next_url or default
        return self._wanted_next() or default

    def _wanted_next(self) -> str:
        handler = self._handler
        url = str(handler.get_query_argument("next", ""))
        safe = len(url) <= _LONGEST_NEXT and is_safe_redirect(url, handler.request.host)
        return url if safe else ""

    def _cookie_name(self) -> str:
        # With the prefix browsers take it only over TLS from this very host, so no neighbouring
        # host can plant one (draft-ietf-httpbis-rfc6265bis, section 4.1.3.2).
        return "__Host-login" if self._handler.request.protocol == "https" else "_login"

    def _pending(self) -> list[PendingLogin]:
        signed = self._handler.get_signed_cookie(
            self._cookie_name(), max_age_days=LIFETIME_S / _DAY, min_version=2
        )
        if signed is None:
            return []
        try:
            logins = _decode(signed)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return []
        oldest = time.time() - LIFETIME_S
        return [login for login in logins if login.started >= oldest][-_MOST:]

    def _keep(self, pending: list[PendingLogin]) -> None:
        name = self._cookie_name()
        if pending:
            value = self._handler.create_signed_value(name, _encode(pending), version=2)
            self._set_login_cookie(name, value, LIFETIME_S)
        else:
            self._set_login_cookie(name, "", 0)
