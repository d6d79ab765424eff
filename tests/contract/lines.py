"""A relay in front of a real server, whose connections can be cut."""

import asyncio
import contextlib

from eyewall.testing.contracts.pubsub import Line


class Relay(Line):
    """Passes bytes on; `where` opens a connection to the server."""

    def __init__(self, where):
        self.where = where
        self.writers = set()
        self.tasks = set()
        self.server = None
        self.is_cut = False

    async def listen(self, unix=None):
        if unix:
            self.server = await asyncio.start_unix_server(self.relay, unix)
        else:
            self.server = await asyncio.start_server(self.relay, "127.0.0.1", 0)
            self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def relay(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        if self.is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await self.where()
        self.writers |= {writer, far_writer}
        ways = [
            asyncio.ensure_future(self.one_way(reader, far_writer)),
            asyncio.ensure_future(self.one_way(far_reader, writer)),
        ]
        await asyncio.wait(ways)

    async def one_way(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def cut(self):
        self.is_cut = True
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def mend(self):
        self.is_cut = False

    async def close(self):
        await self.cut()
        self.server.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)
