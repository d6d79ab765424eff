"""From a URL's path to a file below a folder, and never outside of it."""

import os
from typing import Final
from urllib.parse import quote

_FORBIDDEN: Final = ("\\", "\x00")


class OutsideError(Exception):
    """A path that leaves the folder, or that the policy hides."""


def resolve(root: str, url_path: str, *, hidden: bool = False) -> str:
    """The file that a path means, as an absolute path, without looking at the disk.

    Args:
        root: The folder, absolute.
        url_path: The path below it, percent-decoded, with "/" between its parts.
        hidden: Whether names that begin with "." are served; ".well-known" always is.

    Raises:
        OutsideError: It leaves the folder, or names something hidden.
    """
    if any(bad in url_path for bad in _FORBIDDEN):
        raise OutsideError(f"{url_path[:80]!r} has characters that no path has")
    parts: list[str] = []
    for part in url_path.split("/"):
        if part in {"", "."}:
            continue
        if part == "..":
            raise OutsideError(f"{url_path[:80]!r} goes up")
        if ":" in part and os.name == "nt":
            raise OutsideError(f"{url_path[:80]!r} names a drive")
        if part.startswith(".") and part != ".well-known" and not hidden:
            raise OutsideError(f"{url_path[:80]!r} is hidden")
        parts.append(part)
    return os.path.join(root, *parts)


def is_inside(root: str, path: str) -> bool:
    """Whether a file, its symbolic links followed, lies below the folder."""
    real, real_root = os.path.realpath(path), os.path.realpath(root)
    return real == real_root or real.startswith(real_root.rstrip(os.sep) + os.sep)


def folder_redirect(path: str, query: str) -> str:
    """Where a folder's path without a slash at its end redirects to; never to another host."""
    inner = path.strip("/")
    target = f"/{inner}/" if inner else "/"
    # The path comes from a request line, so it is encoded; what is not is encoded now.
    target = quote(target, safe="/%!$&'()*+,;=:@~-._")
    return f"{target}?{query}" if query else target
