"""Whether a place to go to is on this site."""

import re
from typing import Final
from urllib.parse import urlsplit

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
