"""Servers for the client's tests: an application, and one that answers with given bytes."""

import asyncio
import contextlib
import os

from eyewall.http.client import AsyncHTTPClient
from eyewall.http.server.server import HTTPServer
from eyewall.web import Application


def run(coroutine):
    async def limited():
        async with asyncio.timeout(30):
            return await coroutine

    return asyncio.run(limited())


@contextlib.asynccontextmanager
async def making(**options):
    """A client of its own, whose connections are counted at the end."""
    client = AsyncHTTPClient(force_instance=True, **options)
    try:
        yield client
    finally:
        client.close()


@contextlib.asynccontextmanager
async def serving(*routes, **options):
    """An application; yields its base URL and the server."""
    server = HTTPServer(Application(list(routes)), **options)
    (listening,) = server.listen(0, "127.0.0.1")
    scheme = "https" if options.get("ssl_options") else "http"
    try:
        yield f"{scheme}://localhost:{listening.getsockname()[1]}", server
    finally:
        server.close()
        listening.close()


@contextlib.asynccontextmanager
async def answering(behave, **options):
    """A server whose connections a coroutine serves; yields its base URL.

    Bytes in place of the coroutine are what it answers to each head of a request.
    """
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            if isinstance(behave, bytes):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(behave)
            else:
                await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client has what it wants, or the test is over; streams log what comes through.
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)
    scheme = "https" if options.get("ssl") else "http"
    try:
        yield f"{scheme}://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def descriptors():
    """How many files and sockets the process has open."""
    return len(os.listdir("/proc/self/fd"))
