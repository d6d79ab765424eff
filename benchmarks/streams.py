"""TCP echo of lines over `IOStream`, beside Tornado's and beside asyncio's own streams.

    python benchmarks/streams.py [--seconds 3] [--rounds 5]

Each server runs in a process of its own on one processor, in turns; the load comes from another
processor. 64 connections send lines of 1 KiB and wait for each to come back. The figure is the
median of the rounds, in lines for each second of the server's processor time: so it is the
server that is measured, even where the load cannot keep it busy.
"""

import argparse
import asyncio
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

CONNECTIONS = 64
LINE = b"x" * 1023 + b"\n"


async def serve_eyewall(sock):
    """Eyewall's TCPServer."""
    from eyewall.net.tcp_server import TCPServer

    class Echo(TCPServer):
        async def handle_stream(self, stream, address):
            while True:
                await stream.write(await stream.read_until(b"\n"))

    Echo().add_socket(sock)
    await asyncio.Event().wait()


async def serve_tornado(sock):
    """Tornado's TCPServer."""
    from tornado.iostream import StreamClosedError
    from tornado.tcpserver import TCPServer

    class Echo(TCPServer):
        async def handle_stream(self, stream, address):
            try:
                while True:
                    await stream.write(await stream.read_until(b"\n"))
            except StreamClosedError:
                return

    Echo().add_socket(sock)
    await asyncio.Event().wait()


async def serve_asyncio(sock):
    """asyncio's own streams."""

    async def echo(reader, writer):
        try:
            while True:
                writer.write(await reader.readuntil(b"\n"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(echo, sock=sock) as server:
        await server.serve_forever()


SERVERS = {"eyewall": serve_eyewall, "tornado": serve_tornado, "asyncio": serve_asyncio}


def serve(name, loop):
    """Be one of the servers, on a socket that is standard input."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sock = socket.socket(fileno=0)
    sock.setblocking(False)
    if loop == "uvloop":
        import uvloop

        uvloop.run(SERVERS[name](sock))
    else:
        asyncio.run(SERVERS[name](sock))


def processor_time(pid):
    """Seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(address, seconds):
    """Send lines over all connections; the number that comes back."""
    selector = selectors.DefaultSelector()
    connections = [socket.create_connection(address) for _ in range(CONNECTIONS)]
    waiting = {}
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting[connection] = len(LINE)
        selector.register(connection, selectors.EVENT_READ)
    lines, begun = 0, time.perf_counter()
    for connection in connections:
        connection.sendall(LINE)
    while time.perf_counter() - begun < seconds:
        for key, _ in selector.select(1):
            connection = key.fileobj
            waiting[connection] -= len(connection.recv(4096))
            if not waiting[connection]:
                lines += 1
                waiting[connection] = len(LINE)
                connection.send(LINE)
    for connection in connections:
        connection.close()
    return lines


def measure(name, loop, seconds):
    """One round with one server."""
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as sock:
        command = [sys.executable, __file__, "--serve", name, "--loop", loop]
        server = subprocess.Popen(command, stdin=sock.fileno())
        try:
            load(sock.getsockname(), 0.3)
            before = processor_time(server.pid)
            lines = load(sock.getsockname(), seconds)
            return lines / (processor_time(server.pid) - before)
        finally:
            server.kill()
            server.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=SERVERS)
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.loop)
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| loop | eyewall | tornado | asyncio | of tornado | of asyncio |")
    print("|---|---|---|---|---|---|")
    for loop in ("asyncio", "uvloop"):
        rounds = {name: [] for name in SERVERS}
        for _ in range(options.rounds):
            for name, figures in rounds.items():
                figures.append(measure(name, loop, options.seconds))
        ours, theirs, bare = (statistics.median(rounds[name]) for name in SERVERS)
        print(
            f"| {loop} | {ours:,.0f} | {theirs:,.0f} | {bare:,.0f} "
            f"| {ours / theirs:.2f} | {ours / bare:.2f} |"
        )


if __name__ == "__main__":
    main()
