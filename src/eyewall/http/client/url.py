"""URLs, taken apart for a request."""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PATH: Final = "/%:@!$&'()*+,;=~"
_QUERY: Final = _PATH + "?"
# urlsplit drops some of these in silence, and what is left means another URL.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f]")
_HOST: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:-]+\Z")


class Target(NamedTuple):
    """An absolute URL's parts, as a request needs them."""

    scheme: str
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int
    authority: str
    """Host and port as the `Host` field shows them."""
    path: str
    """Path and query."""
    user: str | None
    password: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self[:3]

    @property
    def absolute(self) -> str:
        """The URL without user and fragment, as a proxy is asked for it."""
        return f"{self.scheme}://{self.authority}{self.path}"


@lru_cache(maxsize=2048)
def parse_url(url: str) -> Target:
    """Take a URL apart; characters that a URL cannot have are percent-encoded.

    Raises:
        ValueError: It is no absolute http or https URL, or has control characters.
    """
    if _UNSAFE.search(url) is not None:
        raise ValueError("a URL cannot have control characters")
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"Unsupported url scheme: {url[:200]!r} is neither http nor https")
    if not parts.hostname:
        raise ValueError(f"the URL {url[:200]!r} names no host")
    default = _DEFAULT_PORTS[parts.scheme]
    port = parts.port if parts.port is not None else default
    host = to_ascii(parts.hostname)
    if _HOST.match(host) is None:
        raise ValueError(f"the URL's host {host[:200]!r} is not a valid name")
    shown = f"[{host}]" if ":" in host else host
    path = quote(parts.path or "/", safe=_PATH)
    if parts.query:
        path += "?" + quote(parts.query, safe=_QUERY)
    user = None if parts.username is None else unquote(parts.username)
    return Target(
        parts.scheme, host, port, shown if port == default else f"{shown}:{port}", path,
        user, unquote(parts.password or ""),
    )  # fmt: skip


def to_ascii(host: str) -> str:
    """A host's name as DNS knows it (RFC 3490).

    Raises:
        ValueError: It cannot be a name.
    """
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"the URL's host {host[:200]!r} is not a valid name") from error
