"""Loops of both kinds, pairs of connected streams, and a certificate."""

import asyncio
import os
import socket
import ssl

import pytest
import trustme
import uvloop

from eyewall.net.pipe_stream import PipeIOStream
from eyewall.net.stream import IOStream, SSLIOStream


@pytest.fixture(params=["asyncio", "uvloop"])
def go(request):
    """Run a coroutine function to its end, within seconds, on either kind of loop."""
    make = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop

    def go(main):
        async def limited():
            async with asyncio.timeout(20):
                return await main()

        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(limited())

    return go


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_context(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(params=["socket", "tls", "pipe"])
def make_pair(request, server_context, client_context):
    """A function that makes two streams, of which the first reads what the second writes."""

    def make_pair(**options):
        if request.param == "pipe":
            reader, writer = os.pipe()
            return PipeIOStream(reader, **options), PipeIOStream(writer, **options)
        one, other = socket.socketpair()
        if request.param == "socket":
            return IOStream(one, **options), IOStream(other, **options)
        return (
            SSLIOStream(one, ssl_options=server_context, server_side=True, **options),
            SSLIOStream(other, ssl_options=client_context, server_hostname="localhost", **options),
        )

    return make_pair
