"""Twisted's protocol and the pages serve at once, on one loop."""

import asyncio
import re
import subprocess

import pytest
from tests.support import ROOT, eyewall

from eyewall.http.client import AsyncHTTPClient, Session

CLIENTS = 40
ROUNDS = 25


@pytest.fixture
def served():
    arguments = ("run", "app:app", "--app-dir", str(ROOT / "examples" / "twisted"), "--port", "0")
    with eyewall(*arguments, env={"LINES_PORT": "0"}, stdout=subprocess.PIPE) as server:
        port = int(re.search(r"port (\d+)", server.popen.stdout.readline())[1])
        yield server.url(), port
        assert server.stop() == 0
        assert "Traceback" not in "".join(server.log)


class Line:
    def __init__(self, port):
        self.port = port

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self, text):
        self.writer.write(text.encode() + b"\r\n")
        return (await self.reader.readline()).decode().strip()

    async def __aexit__(self, *exc_info):
        self.writer.close()


def test_both_serve_under_load(served):
    url, port = served

    async def lines(number):
        async with Line(port) as line:
            for turn in range(ROUNDS):
                assert await line.ask(f"set n{number} {turn}") == "ok"
                assert await line.ask(f"get n{number}") == str(turn)

    async def pages(number, session):
        for turn in range(ROUNDS):
            await session.put(f"{url}/p{number}", content=str(turn))
            assert (await session.get(f"{url}/p{number}")).json() == {f"p{number}": str(turn)}

    async def main():
        async with Session() as session:
            work = [lines(number) for number in range(CLIENTS)]
            work += [pages(number, session) for number in range(CLIENTS)]
            await asyncio.gather(*work)

    asyncio.run(main())


def test_each_side_wakes_what_waits_on_the_other(served):
    url, port = served

    async def main():
        client = AsyncHTTPClient(force_instance=True)
        async with Line(port) as line:
            page = client.fetch(f"{url}/colour")
            assert await line.ask("set colour blue") == "ok"
            assert (await page).body == b'{"colour":"blue"}'
            waiting = asyncio.create_task(line.ask("wait size"))
            await client.fetch(f"{url}/size", method="PUT", body="large")
            assert await waiting == "large"
            assert await line.ask("nonsense") == "set NAME VALUE, get NAME, wait NAME"
        client.close()

    asyncio.run(main())
