"""Whether a place to go to is on this site."""

import re
import string
from typing import Final
from urllib.parse import urlsplit

# How browsers begin to read an address, "\\" being "/" to them.
_PLACE: Final = re.compile(r"(?:([a-z][a-z0-9+.\-]*):)?(/*)([^/?#]*)", re.IGNORECASE)
# What they leave out of it.
_LEFT_OUT: Final = re.compile(r"^[\x00-\x20]+|[\t\r\n]")
_UNSAFE: Final = re.compile(r"[\x00-\x20\\\x7f]")


def is_safe_redirect(url: str, host: str | None = None) -> bool:
    r"""Whether redirecting to `url`, which a client may have chosen, stays on this site.

    Browsers read `//host`, `/\host`, `\t//host` and the like as other sites; all of them are
    refused, and so is what has a user, or a scheme other than http and https.

    Args:
        url: A path, or a whole address.
        host: This site's host with its port; without it only paths are safe.

    Example:
        >>> is_safe_redirect("/inbox?page=2")
        True
        >>> is_safe_redirect("//evil.example/")
        False
    """
    if not url or _UNSAFE.search(url) is not None or len(url) > 2048:
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        bool(host)
        and parts.scheme.lower() in {"http", "https"}
        and "@" not in parts.netloc
        and parts.netloc.lower() == str(host).lower()
    )


def leads_elsewhere(template: str, target: str) -> bool:
    """Whether what a request has put into a template makes it lead to another site.

    Args:
        template: An address with `{0}` or `{name}` in it, as the programmer wrote it.
        target: The address with the values in their places.

    Example:
        >>> leads_elsewhere("https://example.com{0}", "https://example.com.evil.test/")
        True
    """
    first = next(iter(string.Formatter().parse(template)), ("", None, None, None))
    if first[1] is None:
        # Nothing was put into it.
        return False
    return _place(first[0]) != _place(target)


def _place(url: str) -> tuple[str, str | None]:
    """The scheme and the host that a browser reads; None for a path on the same site."""
    match = _PLACE.match(_LEFT_OUT.sub("", url).replace("\\", "/"))
    if match is None:
        return "", None
    scheme = (match[1] or "").lower()
    # After http: the slashes may be missing, or be too many.
    names_host = scheme in {"http", "https"} or len(match[2]) >= 2
    return scheme, match[3].lower() if names_host else None
