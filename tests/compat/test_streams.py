"""What Tornado's names for streams promise."""

import asyncio
import socket

import pytest

from eyewall.http.engine import StreamClosedError as EngineStreamClosedError
from eyewall.tornado import ioloop, iostream, netutil, process, tcpclient, tcpserver


def test_one_name_catches_what_streams_and_answers_raise():
    assert issubclass(EngineStreamClosedError, iostream.StreamClosedError)

    async def main():
        one, other = socket.socketpair()
        stream = iostream.IOStream(one)
        other.close()
        with pytest.raises(iostream.StreamClosedError) as caught:
            await stream.read_bytes(1)
        assert caught.value.real_error is None

    asyncio.run(main())


def test_a_proxy_in_the_style_of_its_day_passes_lines_on():
    class Echo(tcpserver.TCPServer):
        async def handle_stream(self, stream, address):
            stream.write(await stream.read_until(b"\n"))
            stream.close()

    class Proxy(tcpserver.TCPServer):
        async def handle_stream(self, stream, address):
            upstream = await tcpclient.TCPClient().connect("127.0.0.1", self.target)
            await upstream.write(await stream.read_until(b"\n"))
            stream.write(await upstream.read_until_close())
            stream.close()

    async def main():
        echo, proxy = Echo(), Proxy()
        (proxy.target,) = (sock.getsockname()[1] for sock in echo.listen(0, "127.0.0.1"))
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        proxy.add_sockets(sockets)
        stream = await tcpclient.TCPClient().connect(*sockets[0].getsockname())
        await stream.write(b"hello\n")
        result = await stream.read_until_close()
        echo.stop()
        proxy.stop()
        return result

    assert ioloop.IOLoop.current().run_sync(main, timeout=20) == b"hello\n"


def test_a_child_of_an_old_program_is_waited_for():
    async def main():
        process.Subprocess.initialize()
        child = process.Subprocess(["echo", "hello"], stdout=process.Subprocess.STREAM)
        assert await child.stdout.read_until_close() == b"hello\n"
        assert await child.wait_for_exit() == 0
        process.Subprocess.uninitialize()

    ioloop.IOLoop.current().run_sync(main, timeout=20)
