"""Passwords: hashed with Argon2id (RFC 9106), in threads of their own."""

import asyncio
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

from eyewall.base.lazy import lazy
from eyewall.web.auth.extra import library

LONGEST_PASSWORD: Final = 4096
"""Characters that a password may have."""


class _Hasher:
    """Argon2id with the library's parameters, which follow RFC 9106, section 4."""

    def __init__(self) -> None:
        self._argon2 = library("argon2", "hashing passwords")
        self._hasher: Any = self._argon2.PasswordHasher()
        # Each hash takes 64 MiB; more threads than cores would only take more of them.
        self.threads = ThreadPoolExecutor(
            max(1, min(4, os.cpu_count() or 1)), thread_name_prefix="passwords"
        )

    @lazy
    def _nobody(self) -> str:
        return str(self._hasher.hash("the password of nobody"))

    def hash(self, password: str) -> str:
        return str(self._hasher.hash(_normal(password)))

    def check(self, password: str, stored: str | None) -> bool:
        # It is made before it is needed, so that the first unknown user takes no longer either.
        nobody = self._nobody
        given = password if len(password) <= LONGEST_PASSWORD else ""
        try:
            self._hasher.verify(stored or nobody, _normal(given))
        except self._argon2.exceptions.VerifyMismatchError:
            return False
        except self._argon2.exceptions.InvalidHashError:
            raise ValueError("the stored hash is not one of Argon2") from None
        return bool(stored) and len(password) <= LONGEST_PASSWORD

    def is_outdated(self, stored: str) -> bool:
        return bool(self._hasher.check_needs_rehash(stored))


@cache
def _hasher() -> _Hasher:
    return _Hasher()


def _normal(password: str) -> bytes:
    # One password typed on two systems may be two sequences of code points (RFC 8265).
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


async def hash_password(password: str) -> str:
    """A hash to store; it names its parameters and holds its salt.

    It takes 64 MiB and up to some hundreds of milliseconds in a thread, while the loop goes on.

    Args:
        password: At most `LONGEST_PASSWORD` characters.

    Raises:
        ValueError: It is empty or too long.
        ConfigurationError: The extra `auth` is not installed.
    """
    if not 0 < len(password) <= LONGEST_PASSWORD:
        raise ValueError(f"a password has 1 to {LONGEST_PASSWORD} characters")
    hasher = _hasher()
    return await asyncio.get_running_loop().run_in_executor(hasher.threads, hasher.hash, password)


async def check_password(password: str, stored_hash: str | None) -> bool:
    """Whether it is the password of a stored hash.

    Give None for a user who does not exist: that takes as long as a wrong password, so nobody
    learns who has an account.

    Args:
        password: What was typed.
        stored_hash: What `hash_password` returned, or None.

    Raises:
        ValueError: `stored_hash` is no hash of Argon2.
        ConfigurationError: The extra `auth` is not installed.
    """
    hasher = _hasher()
    return await asyncio.get_running_loop().run_in_executor(
        hasher.threads, hasher.check, password, stored_hash
    )


def needs_rehash(stored_hash: str) -> bool:
    """Whether a hash was made with weaker parameters than today's.

    Ask after a login that succeeded: then the password is at hand to be hashed anew.
    """
    return _hasher().is_outdated(stored_hash)
