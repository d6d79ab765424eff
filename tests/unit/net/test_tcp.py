"""TCPServer, TCPClient and sockets that listen."""

import asyncio
import contextlib
import datetime
import errno
import os
import resource
import socket
import ssl
import struct
import subprocess
import sys

import pytest

from eyewall.net.accept import add_accept_handler
from eyewall.net.errors import BindError, StreamClosedError
from eyewall.net.resolver import Resolver
from eyewall.net.sockets import bind_sockets, bind_unix_socket
from eyewall.net.stream import IOStream
from eyewall.net.tcp_client import TCPClient
from eyewall.net.tcp_server import TCPServer


class Echo(TCPServer):
    """Gives lines back."""

    async def handle_stream(self, stream, address):
        while True:
            await stream.write(await stream.read_until(b"\n", max_bytes=1000))


@contextlib.contextmanager
def serving(server, address="127.0.0.1", **options):
    sock = server.listen(0, address, **options)[0]
    try:
        yield sock.getsockname()[1]
    finally:
        server.stop()


async def line_back(stream):
    stream.write(b"line\n")
    assert await stream.read_until(b"\n") == b"line\n"
    stream.close()


def test_lines_come_back_in_clear_and_over_tls(go, server_context, client_context):
    async def main():
        for server, options in [
            (Echo(), {}),
            (Echo(ssl_options=server_context), {"ssl_options": client_context}),
        ]:
            with serving(server) as port:
                stream = await TCPClient().connect("127.0.0.1", port, **options)
                await line_back(stream)

    go(main)


def test_a_client_that_breaks_the_limits_is_no_error_of_the_server(go, caplog):
    async def main():
        with serving(Echo()) as port:
            stream = await TCPClient().connect("127.0.0.1", port)
            stream.write(b"x" * 5000)
            assert await stream.read_until_close() == b""

    go(main)
    assert [record.levelname for record in caplog.records if record.levelno > 20] == []


@pytest.mark.parametrize("late", [False, True])
def test_what_a_handler_raises_is_logged_once_and_closes_the_stream(go, caplog, late):
    class Faulty(TCPServer):
        def handle_stream(self, stream, address):
            if late:
                return self.later(stream)
            raise LookupError("oh")

        async def later(self, stream):
            await stream.read_bytes(1)
            raise LookupError("oh")

    async def main():
        with serving(Faulty()) as port:
            for _ in range(2):
                stream = await TCPClient().connect("127.0.0.1", port)
                with contextlib.suppress(StreamClosedError):
                    stream.write(b"x")
                assert await stream.read_until_close() == b""

    go(main)
    assert len(caplog.records) == 2
    assert all(record.exc_info[0] is LookupError for record in caplog.records)


def test_a_server_without_handler_names_what_to_do(go, caplog):
    async def main():
        with serving(TCPServer()) as port:
            stream = await TCPClient().connect("127.0.0.1", port)
            await stream.read_until_close()

    go(main)
    assert "TCPServer must override handle_stream" in caplog.text


def test_options_without_a_certificate_are_refused_at_once():
    with pytest.raises(ValueError, match='"certfile"'):
        TCPServer(ssl_options={})
    with pytest.raises(FileNotFoundError):
        TCPServer(ssl_options={"certfile": "/nowhere"})


def test_stop_ends_listening_but_not_connections(go):
    async def main():
        server = Echo()
        with serving(server) as port:
            stream = await TCPClient().connect("127.0.0.1", port)
            stream.write(b"a\n")
            await stream.read_until(b"\n")
            server.stop()
            server.stop()
            await line_back(stream)
            with pytest.raises(StreamClosedError) as caught:
                await TCPClient().connect("127.0.0.1", port)
            assert isinstance(caught.value.real_error, ConnectionRefusedError)

    go(main)


def test_bound_sockets_are_served_once_started(go):
    async def main():
        server = Echo()
        (sock,) = bind_sockets(0, "127.0.0.1")
        port = sock.getsockname()[1]
        sock.close()
        server.bind(port, "127.0.0.1")
        server.start()
        with pytest.raises(RuntimeError, match="started already"):
            server.start()
        await line_back(await TCPClient().connect("127.0.0.1", port))
        server.stop()

    go(main)


def test_unix_sockets_are_served_too(go, tmp_path):
    async def main():
        for path in (str(tmp_path / "socket"), f"\0eyewall-{os.getpid()}"):
            server = Echo()
            server.add_socket(bind_unix_socket(path))
            stream = IOStream(socket.socket(socket.AF_UNIX))
            await stream.connect(path)
            await line_back(stream)
            server.stop()

    go(main)


def test_the_same_port_may_be_shared_if_asked_for():
    (first,) = bind_sockets(0, "127.0.0.1", reuse_port=True)
    port = first.getsockname()[1]
    (second,) = bind_sockets(port, "127.0.0.1", reuse_port=True)
    with pytest.raises(BindError, match="is taken") as caught:
        bind_sockets(port, "127.0.0.1")
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.EADDRINUSE
    first.close()
    second.close()
    with pytest.raises(BindError, match="no address to listen on"):
        bind_sockets(0, "256.256.256.256")


def test_all_addresses_get_the_same_port():
    sockets = bind_sockets(0)
    assert len({sock.getsockname()[1] for sock in sockets}) == 1
    families = {sock.family for sock in sockets}
    assert socket.AF_INET in families
    for sock in sockets:
        sock.close()
    (only,) = bind_sockets(0, None, socket.AF_INET)
    assert only.family == socket.AF_INET
    only.close()


def test_accepting_ends_with_the_returned_function(go):
    async def main():
        (sock,) = bind_sockets(0, "127.0.0.1")
        accepted = asyncio.Queue()
        remove = add_accept_handler(sock, lambda *args: accepted.put_nowait(args))
        with socket.create_connection(sock.getsockname()) as client:
            connection, address = await accepted.get()
            assert address == client.getsockname()
            connection.close()
        remove()
        remove()
        with socket.create_connection(sock.getsockname()):
            await asyncio.sleep(0)
            assert accepted.empty()
        sock.close()

    go(main)


def test_running_out_of_descriptors_rests_instead_of_spinning(go, caplog, monkeypatch):
    monkeypatch.setattr("eyewall.net.accept._PAUSE", 0)

    async def main():
        server = Echo()
        with serving(server) as port:
            client = socket.create_connection(("127.0.0.1", port))
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            highest = os.dup(0)
            os.close(highest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            try:
                while "no connection can be accepted" not in caplog.text:
                    await asyncio.sleep(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await line_back(IOStream(client))

    go(main)


class Fixed(Resolver):
    """Gives the addresses that it was made with."""

    def initialize(self, addresses):
        self.addresses = addresses

    async def resolve(self, host, port, family=socket.AF_UNSPEC):
        return self.addresses


def test_the_next_address_is_tried_when_one_refuses(go):
    async def main():
        with serving(Echo()) as port:
            (closed,) = bind_sockets(0, "127.0.0.1")
            refusing = closed.getsockname()
            closed.close()
            addresses = [(socket.AF_INET, refusing), (socket.AF_INET, ("127.0.0.1", port))]
            client = TCPClient(Fixed(addresses))
            await line_back(await client.connect("example.org", port))
            with pytest.raises(StreamClosedError) as caught:
                await TCPClient(Fixed(addresses[:1])).connect("example.org", 1)
            assert isinstance(caught.value.real_error, ConnectionRefusedError)
            with pytest.raises(OSError, match="no address"):
                await TCPClient(Fixed([])).connect("example.org", 1)

    go(main)


def test_the_next_address_is_tried_while_one_hangs(go):
    async def main():
        # Nothing is accepted here, and the queue of one is full: connecting hangs.
        with socket.socket() as full, serving(Echo()) as port:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [IOStream(socket.socket()) for _ in range(3)]
            for stream in waiting:
                stream.connect(full.getsockname())
            await waiting[0].write(b"")
            hanging = (socket.AF_INET, full.getsockname())
            client = TCPClient(Fixed([hanging, (socket.AF_INET, ("127.0.0.1", port))]))
            await line_back(await client.connect("example.org", port))
            for stream in waiting:
                stream.close()

    go(main)


class Silent(Resolver):
    """Its answer never comes."""

    def initialize(self):
        self.was_cancelled = False

    async def resolve(self, host, port, family=socket.AF_UNSPEC):
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


class Failing(Resolver):
    """There is no such name."""

    async def resolve(self, host, port, family=socket.AF_UNSPEC):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")


def test_a_name_whose_lookup_never_ends_ends_with_the_time(go):
    async def main():
        resolver = Silent()
        client = TCPClient(resolver)
        with pytest.raises(TimeoutError):
            await client.connect("example.org", 1, timeout=datetime.timedelta(milliseconds=5))
        # It is told so in the loop's next turns.
        while not resolver.was_cancelled:
            await asyncio.sleep(0)

    go(main)


def test_a_name_that_does_not_exist_is_the_resolvers_error(go):
    async def main():
        with pytest.raises(socket.gaierror, match="no such name"):
            await TCPClient(Failing()).connect("example.org", 1)

    go(main)


def test_a_peer_that_resets_is_an_ordinary_end(go):
    class Resetting(TCPServer):
        async def handle_stream(self, stream, address):
            await stream.read_until(b"\n")
            await stream.write(b"some")
            # Closing with this option set, and bytes unread, resets the connection.
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()

    async def main():
        with serving(Resetting()) as port:
            stream = await TCPClient().connect("127.0.0.1", port)
            reading = stream.read_bytes(100)
            stream.write(b"go\n")
            with pytest.raises(StreamClosedError) as caught:
                await reading
            assert isinstance(caught.value.real_error, ConnectionResetError | None)
            assert stream.closed()

    go(main)


def open_sockets():
    """How many sockets this process has; loops keep other descriptors of their own."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return count


@pytest.mark.parametrize("turns", range(8))
def test_a_connect_that_is_cancelled_leaves_no_descriptor(go, client_context, turns):
    async def main():
        silent = TCPServer()
        silent.handle_stream = lambda stream, address: stream.read_until_close()
        with serving(silent) as port:
            before = open_sockets()
            connecting = asyncio.ensure_future(
                TCPClient(Fixed([(socket.AF_INET, ("127.0.0.1", port))])).connect(
                    "localhost", port, ssl_options=client_context
                )
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            # The server's ends are closed when ours are.
            while open_sockets() > before:
                await asyncio.sleep(0)

    go(main)


def test_time_outs_name_the_step_that_lasted(go, client_context):
    class Hanging(Resolver):
        async def resolve(self, host, port, family=socket.AF_UNSPEC):
            await asyncio.Event().wait()

    async def main():
        with pytest.raises(TimeoutError, match=r"while resolving example\.org"):
            await TCPClient(Hanging()).connect("example.org", 1, timeout=0.01)
        kept = []
        silent = TCPServer()
        silent.handle_stream = lambda stream, address: kept.append(stream)
        with serving(silent) as port:
            with pytest.raises(TimeoutError, match=f"during TLS handshake with 127.0.0.1:{port}"):
                await TCPClient().connect(
                    "127.0.0.1",
                    port,
                    ssl_options=client_context,
                    timeout=datetime.timedelta(seconds=0.2),
                )
        for stream in kept:
            stream.close()

    go(main)


def test_a_name_that_is_unknown_or_a_source_that_is_foreign_is_an_os_error(go):
    class Failing(Resolver):
        async def resolve(self, host, port, family=socket.AF_UNSPEC):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def main():
        with pytest.raises(socket.gaierror):
            await TCPClient(Failing()).connect("example.org", 1)
        with serving(Echo()) as port:
            with pytest.raises(OSError, match=r"8\.8\.8\.8|assign"):
                await TCPClient().connect("127.0.0.1", port, source_ip="8.8.8.8")
            stream = await TCPClient().connect("127.0.0.1", port, source_ip="127.0.0.2")
            assert stream.socket.getsockname()[0] == "127.0.0.2"
            await line_back(stream)

    go(main)


def test_a_certificate_of_nobody_is_refused(go, server_context):
    async def main():
        with serving(Echo(ssl_options=server_context)) as port:
            with pytest.raises(ssl.SSLCertVerificationError):
                await TCPClient().connect(
                    "127.0.0.1", port, ssl_options=ssl.create_default_context()
                )

    go(main)


def test_children_share_what_was_bound():
    program = """
from eyewall.loop.ioloop import IOLoop
from eyewall.net.process import task_id
from eyewall.net.tcp_server import TCPServer

server = TCPServer()
server.bind(0, address="127.0.0.1")
server.start(3)
IOLoop.current().run_sync(server.stop)
print(task_id(), end="", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert sorted(done.stdout) == ["0", "1", "2"]
    assert done.stderr == ""
