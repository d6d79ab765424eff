"""Libraries of the extra `auth`, imported when they are first used."""

from importlib import import_module
from typing import Any

from eyewall.base.errors import ConfigurationError


def library(module: str, purpose: str) -> Any:
    """A module of an optional library.

    Args:
        module: Its full name.
        purpose: What needs it, as the start of the sentence that says that it is missing.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        name = {"argon2": "argon2-cffi"}.get(top := module.partition(".")[0], top)
        raise ConfigurationError(
            f"{purpose} needs the {name} library: pip install 'eyewall[auth]'"
        ) from None
