"""Which addresses of scripts and styles are used as they are."""


def is_absolute(path: str) -> bool:
    """Whether a path begins at a site's root, or names a site."""
    return path.startswith(("/", "http:", "https:"))
