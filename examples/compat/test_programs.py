"""Each program runs as it is, by `python -m eyewall.tornado`."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest
from tests.support import ROOT

from eyewall.realtime.websocket import websocket_connect

HERE = ROOT / "examples" / "compat"


def command(program, *arguments):
    return [sys.executable, "-m", "eyewall.tornado", str(HERE / program), *arguments]


@contextlib.contextmanager
def serving(program, *arguments):
    """The port of a program that has said that it listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    process = subprocess.Popen(
        command(program, f"--port={port}", *arguments), stderr=subprocess.PIPE, text=True
    )
    try:
        log = ""
        for line in process.stderr:
            log += line
            if f"Listening on port {port}" in line:
                break
        else:
            pytest.fail(f"{program} did not start:\n{log}")
        yield port
    finally:
        process.kill()
        rest = process.communicate()[1]
    assert "Traceback" not in rest, rest


def ask(port, path, data=None, method=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def form(**fields):
    return urllib.parse.urlencode(fields).encode()


def test_notes_are_found_by_the_names_of_their_routes():
    with serving("notes.py") as port:
        assert '<a href="/notes/2">Mend the &lt;sail&gt;</a>' in ask(port, "/")[1]
        status, body = ask(port, "/", form(text="Paint the hull"))
        assert (status, json.loads(body)) == (200, {"note": "Paint the hull", "index": "/"})
        assert ask(port, "/notes/9")[0] == 404


def test_a_timer_finishes_a_handler():
    with serving("delayed.py") as port:
        assert ask(port, "/egg") == (200, "boiling... done")
        assert ask(port, "/egg?seconds=0.001&delta=1") == (200, "boiling... done")
        assert ask(port, "/broken")[0] == 418


def test_functions_with_callbacks_are_waited_for():
    with serving("callbacks.py") as port:
        assert ask(port, "/rows/a")[0] == 404
        assert ask(port, "/rows/a", b"one", "PUT")[0] == 201
        assert ask(port, "/rows/b", b"two", "PUT")[0] == 201
        assert json.loads(ask(port, "/rows/a")[1]) == {"a": "one"}
        assert json.loads(ask(port, "/pairs/a/b")[1]) == {"pair": ["one", "two"]}


async def post(port, path, **fields):
    return await asyncio.to_thread(ask, port, path, form(**fields))


async def listeners(port, count):
    while json.loads((await asyncio.to_thread(ask, port, "/count"))[1])["listeners"] != count:
        pass


def test_whoever_polls_hears_what_is_said():
    async def main(port):
        waiting = [asyncio.create_task(post(port, "/news")) for _ in range(3)]
        await listeners(port, 3)
        first = json.loads((await post(port, "/say", text="ahoy"))[1])
        for _, body in await asyncio.gather(*waiting):
            assert json.loads(body) == {"messages": [first]}
        second = json.loads((await post(port, "/say", text="ahoy again"))[1])
        late = json.loads((await post(port, "/news", after=first["id"]))[1])
        assert late == {"messages": [second]}

    with serving("longpoll.py") as port:
        asyncio.run(main(port))


def test_whoever_leaves_is_forgotten():
    async def main(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /news HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await listeners(port, 1)
        writer.close()
        await listeners(port, 0)
        assert reader is not None

    with serving("longpoll.py") as port:
        asyncio.run(main(port))


def test_the_proxy_forwards_both_ways_and_the_echo_echoes():
    with serving("echo_server.py") as behind, serving("forward.py", f"--to-port={behind}") as port:
        done = subprocess.run(
            command("echo_client.py", f"--port={port}", "--lines=200"),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [f"heard: line {number}" for number in range(200)]


def test_the_proxy_carries_large_data_and_the_end():
    size = 3_000_000

    async def serve(reader, writer):
        data = await reader.readexactly(size)
        writer.write(data.swapcase())
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        behind = server.sockets[0].getsockname()[1]
        with serving("forward.py", f"--to-port={behind}") as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x" * size)
            assert await reader.read() == b"X" * size
            writer.close()
        server.close()

    asyncio.run(main())


def test_the_proxy_goes_on_when_nobody_is_behind_it():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        nobody = sock.getsockname()[1]
    with serving("forward.py", f"--to-port={nobody}") as port:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
                assert peer.recv(100) == b""


def test_the_echo_refuses_a_line_without_end():
    with serving("echo_server.py") as port:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
            peer.sendall(b"x" * 5000)
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(100) == b""


def test_the_crawler_sees_every_page_once():
    pages = {f"/{number}": [f"/{number * 2}#top", f"/{number * 2 + 1}"] for number in range(1, 16)}
    pages["/"] = ["/1", "/missing", "http://elsewhere.invalid/"]
    asked = []

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split()[1].decode()
                asked.append(path)
                links = pages.get(path, [])
                known = path != "/missing"
                body = "".join(f'<a class="x" href="{link}">x</a>' for link in links).encode()
                writer.write(b"HTTP/1.1 %d x\r\n" % (200 if known else 404))
                writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        start = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        process = await asyncio.create_subprocess_exec(
            *command("crawler.py", f"--start={start}"), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        server.close()
        assert process.returncode == 0
        lines = out.decode().replace(start, "/").splitlines()
        assert {line for line in lines if line.startswith("seen")} == {
            "seen /",
            "seen /missing",
            *(f"seen /{number}" for number in range(1, 32)),
        }
        assert [line for line in lines if line.startswith("failed")] == ["failed 404 /missing"]

    asyncio.run(main())
    assert len(asked) == len(set(asked)) == 33


def test_django_serves_beside_a_websocket_that_its_views_feed():
    async def main(port):
        feed = await websocket_connect(f"ws://127.0.0.1:{port}/feed")
        assert json.loads(await feed.read_message()) == {"readers": 1}
        await feed.write_message("hello")
        assert await feed.read_message() == "you said hello"
        assert (await asyncio.to_thread(ask, port, "/?name=Ann"))[1] == "Hello from Django, Ann"
        assert await post(port, "/news", text="storm") == (202, "told")
        assert await feed.read_message() == "storm"
        feed.close()
        assert (await asyncio.to_thread(ask, port, "/nowhere"))[0] == 404

    with serving("django_beside.py") as port:
        asyncio.run(main(port))
