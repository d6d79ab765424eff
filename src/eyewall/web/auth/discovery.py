"""What an OpenID Connect provider says about itself (OpenID Connect Discovery 1.0)."""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from eyewall.http.client import HTTPClientError
from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.provider_client import read_object

_FRESH_S: Final = 3600
# What makes keys be fetched is a token's header, which anybody may write.
_BETWEEN_FETCHES_S: Final = 10
# Those who wait for a provider that is down should not ask it one after the other.
_AFTER_FAILURE_S: Final = 5
_MOST_KEYS: Final = 64
_REQUIRED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ENDPOINTS: Final = (*_REQUIRED, "userinfo_endpoint", "end_session_endpoint")

Fetch = Callable[[str], Awaitable[bytes]]


class Provider:
    """One issuer: its metadata and its keys, fetched when needed and kept for an hour.

    Args:
        issuer: Its address, exactly as it calls itself.
        clock: Gives seconds, only ever more of them.

    Raises:
        AuthError: 502; the address is neither https nor on this machine.
    """

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        _check_address(issuer, "issuer", loopback=True)
        self.issuer = issuer
        self._clock = clock
        self._metadata: dict[str, Any] = {}
        self._metadata_at = 0.0
        self._keys: list[dict[str, Any]] = []
        self._keys_at: float | None = None
        self._failed_at: float | None = None
        self._lock = asyncio.Lock()

    async def metadata(self, fetch: Fetch) -> dict[str, Any]:
        """The metadata (section 3).

        Args:
            fetch: Fetches a URL; raises `HTTPClientError`.

        Raises:
            AuthError: 502; the provider cannot be asked, or its metadata cannot be used.
        """
        async with self._lock:
            if not self._metadata or self._clock() - self._metadata_at > _FRESH_S:
                url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
                self._metadata = self._checked(await self._object(fetch, url))
                self._metadata_at = self._clock()
            return self._metadata

    async def keys(self, fetch: Fetch, *, renew: bool = False) -> Sequence[dict[str, Any]]:
        """The keys that id tokens are signed with (RFC 7517, section 5).

        Args:
            fetch: Fetches a URL.
            renew: Fetch them again, because one is missing; but not at once after a fetch.

        Raises:
            AuthError: 502; the provider cannot be asked, or what it sent is no key set.
        """
        address = (await self.metadata(fetch))["jwks_uri"]
        async with self._lock:
            age = None if self._keys_at is None else self._clock() - self._keys_at
            if age is None or age > (_BETWEEN_FETCHES_S if renew else _FRESH_S):
                keys = (await self._object(fetch, address)).get("keys")
                if not isinstance(keys, list):
                    raise AuthError("the provider's key set has no keys", 502)
                self._keys = [key for key in keys[:_MOST_KEYS] if isinstance(key, dict)]
                self._keys_at = self._clock()
            return self._keys

    async def _object(self, fetch: Fetch, url: str) -> dict[str, Any]:
        if self._failed_at is not None and self._clock() - self._failed_at < _AFTER_FAILURE_S:
            raise AuthError(f"the provider {self.issuer} could not be asked just now", 502)
        try:
            answer = read_object(await fetch(url), "the provider")
        except HTTPClientError as error:
            self._failed_at = self._clock()
            raise AuthError(
                f"the provider answered {error.code} when asked for {url}", 502
            ) from None
        self._failed_at = None
        return answer

    def _checked(self, metadata: dict[str, Any]) -> dict[str, Any]:
        # Otherwise one provider could speak for another (section 4.3).
        if metadata.get("issuer") != self.issuer:
            raise AuthError("the provider's metadata is that of another issuer", 502)
        loopback = urlsplit(self.issuer).scheme == "http"
        for name in _ENDPOINTS:
            if name in _REQUIRED or name in metadata:
                _check_address(metadata.get(name), name, loopback=loopback)
        return metadata


def _check_address(address: object, name: str, *, loopback: bool) -> None:
    """Refuse what is not https; a provider on this machine, in tests, may do with http."""
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        parts = None
    if parts is not None and parts.hostname:
        if parts.scheme == "https":
            return
        if loopback and parts.scheme == "http" and _is_loopback(parts.hostname):
            return
    raise AuthError(f"the provider's {name} is no https address", 502)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
