"""Passwords are hashed with Argon2id, and unknown users cost what known ones do."""

import asyncio
import sys

import pytest

from eyewall.base.errors import ConfigurationError
from eyewall.web.auth import check_password, hash_password, needs_rehash
from eyewall.web.auth.passwords import _hasher


@pytest.fixture(autouse=True)
def threads():
    yield
    if _hasher.cache_info().currsize:
        _hasher().threads.shutdown()
        _hasher.cache_clear()


def test_a_password_is_known_by_its_hash(run):
    async def main():
        stored = await hash_password("correct horse")
        again = await hash_password("correct horse")
        assert stored.startswith("$argon2id$")
        assert stored != again
        assert await check_password("correct horse", stored)
        assert not await check_password("correct horsE", stored)
        assert not needs_rehash(stored)

    run(main)


def test_two_ways_to_write_a_letter_are_one_password(run):
    async def main():
        assert await check_password("cafe\u0301", await hash_password("caf\u00e9"))

    run(main)


def test_an_unknown_user_costs_one_check_like_a_known_one(run, monkeypatch):
    """What takes the time is counted, rather than the time taken."""
    calls = []

    async def main():
        hasher = _hasher()
        verify = hasher._hasher.verify

        class Counting:
            hash = hasher._hasher.hash

            def verify(self, *args):
                calls.append(args[0].split("$")[3])
                return verify(*args)

        stored = await hash_password("secret")
        monkeypatch.setattr(hasher, "_hasher", Counting())
        assert not await check_password("wrong", None)
        assert not await check_password("the password of nobody", None)
        assert not await check_password("wrong", "")
        assert not await check_password("wrong", stored)
        assert not await check_password("x" * 5000, stored)
        assert await check_password("secret", stored)

    run(main)
    assert len(calls) == 6
    assert len(set(calls)) == 1


@pytest.mark.parametrize("password", ["", "x" * 4097])
def test_empty_and_endless_passwords_are_refused(run, password):
    async def main():
        with pytest.raises(ValueError, match="1 to 4096"):
            await hash_password(password)

    run(main)


def test_half_a_character_is_a_password_too(run):
    async def main():
        assert await check_password("\ud800", await hash_password("\ud800"))

    run(main)


def test_another_kind_of_hash_is_an_error(run):
    async def main():
        with pytest.raises(ValueError, match="Argon2"):
            await check_password("x", "$2b$12$abcdefghijklmnopqrstuv")

    run(main)


def test_the_loop_goes_on_meanwhile(run):
    async def main():
        hashing = asyncio.create_task(hash_password("x"))
        turns = 0
        while not hashing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10

    run(main)


def test_a_missing_library_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "argon2", None)

    async def main():
        with pytest.raises(ConfigurationError, match=r"argon2-cffi.*pip install 'eyewall\[auth\]'"):
            await hash_password("x")

    run(main)
