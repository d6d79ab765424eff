"""Who made a request, by what browsers tell: `Sec-Fetch-Site` and `Origin`."""

from collections.abc import Callable
from urllib.parse import urlsplit


def cross_origin_refusal(
    site: str | None,
    origin: str | None,
    host: str,
    is_trusted: Callable[[str], bool],
) -> str | None:
    """Why a request that changes something is refused; None when it may pass.

    Args:
        site: The header `Sec-Fetch-Site` (Fetch Metadata), which every current browser sends
            over TLS and which pages cannot set.
        origin: The header `Origin` (RFC 6454), which older browsers send too.
        host: The host that was asked, with its port.
        is_trusted: Says whether another origin may do this.

    Example:
        >>> cross_origin_refusal("cross-site", "https://b.test", "a.test", lambda origin: False)
        "Sec-Fetch-Site cross-site from Origin 'https://b.test' not allowed"
    """
    if site is not None:
        if site in {"same-origin", "none"} or (origin is not None and is_trusted(origin)):
            return None
        return f"Sec-Fetch-Site {site[:40]} from Origin {_shown(origin)} not allowed"
    if origin is None or _host_of(origin) == host.lower() or is_trusted(origin):
        return None
    return f"Origin {_shown(origin)} not allowed"


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _shown(origin: str | None) -> str:
    return "none" if origin is None else repr(origin[:100])
