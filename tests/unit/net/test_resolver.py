"""Names into addresses."""

import asyncio
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from eyewall.base.errors import ConfigurationError
from eyewall.net.cares_resolver import CaresResolver
from eyewall.net.happy_eyeballs import interleaved
from eyewall.net.resolver import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    is_valid_ip,
)

LOOPBACK = {(socket.AF_INET, ("127.0.0.1", 80)), (socket.AF_INET6, ("::1", 80, 0, 0))}


@pytest.mark.parametrize(
    "make",
    [
        Resolver,
        DefaultLoopResolver,
        DefaultExecutorResolver,
        BlockingResolver,
        ThreadedResolver,
        lambda: ExecutorResolver(ThreadPoolExecutor(1)),
        CaresResolver,
    ],
)
def test_localhost_is_this_machine(go, make):
    async def main():
        resolver = make()
        assert set(await resolver.resolve("localhost", 80)) & LOOPBACK
        only = await resolver.resolve("127.0.0.1", 80, socket.AF_INET)
        assert only == [(socket.AF_INET, ("127.0.0.1", 80))]
        resolver.close()

    go(main)


@pytest.mark.parametrize("make", [Resolver, BlockingResolver, ThreadedResolver, CaresResolver])
def test_a_name_that_is_none_is_an_os_error(go, make):
    async def main():
        resolver = make()
        with pytest.raises(OSError, match=r".+"):
            await resolver.resolve("not a name", 80)
        resolver.close()

    go(main)


def test_an_executor_is_shut_down_only_if_the_resolver_owns_it(go):
    async def main():
        with ThreadPoolExecutor(1) as pool:
            resolver = ExecutorResolver(executor=pool, close_executor=False)
            await resolver.resolve("127.0.0.1", 80)
            resolver.close()
            assert pool.submit(threading.get_ident).result() != threading.get_ident()

    go(main)


def test_overriding_prefers_the_most_exact_key(go):
    async def main():
        resolver = OverrideResolver(
            resolver=BlockingResolver(),
            mapping={
                "a.example": "127.0.0.2",
                ("a.example", 443): ("127.0.0.3", 8443),
                ("a.example", 443, socket.AF_INET6): ("::1", 8443),
            },
        )
        assert await resolver.resolve("a.example", 80) == [(socket.AF_INET, ("127.0.0.2", 80))]
        assert await resolver.resolve("a.example", 443) == [(socket.AF_INET, ("127.0.0.3", 8443))]
        found = await resolver.resolve("a.example", 443, socket.AF_INET6)
        assert found == [(socket.AF_INET6, ("::1", 8443, 0, 0))]
        assert await resolver.resolve("127.0.0.9", 1) == [(socket.AF_INET, ("127.0.0.9", 1))]
        resolver.close()

    go(main)


def test_programs_choose_the_resolver_by_name():
    Resolver.configure("eyewall.net.resolver.ThreadedResolver", num_threads=2)
    try:
        resolver = Resolver()
        assert isinstance(resolver, ThreadedResolver)
        resolver.close()
    finally:
        Resolver.configure(None)


def test_cares_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycares", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'eyewall\[cares\]'"):
        CaresResolver()


def test_closing_cares_ends_what_is_under_way(go):
    async def main():
        # Nobody answers there.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            resolver = CaresResolver(timeout=60, servers=["{}:{}".format(*silent.getsockname())])
            looking = asyncio.ensure_future(resolver.resolve("www.example.org", 80))
            await asyncio.sleep(0)
            resolver.close()
            with pytest.raises(OSError, match=r"www\.example\.org"):
                await looking

    go(main)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "2620:0:1cfe:face:b00c::3", "fe80::1%lo"])
def test_addresses_are_recognised(text):
    assert is_valid_ip(text)


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\0", "localhost", " 127.0.0.1", "1.2.3", "4" * 99]
)
def test_what_is_no_address_is_not(text):
    assert not is_valid_ip(text)


def test_families_take_turns():
    four, six = socket.AF_INET, socket.AF_INET6
    assert interleaved([(six, 1), (six, 2), (six, 3), (four, 4)]) == [
        (six, 1),
        (four, 4),
        (six, 2),
        (six, 3),
    ]
