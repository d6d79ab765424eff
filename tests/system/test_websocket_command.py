"""WebSockets under `eyewall run`: pings, and the end of the server."""

import signal

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support import eyewall

APP = """
from eyewall.realtime import websocket
from eyewall.web import Application, RequestHandler


@websocket
async def echo(ws):
    async for message in ws:
        await ws.send(f"{message} {ws.ping_interval}")


app = Application([("/", echo)]{more})
"""


@pytest.mark.parametrize(
    ("more", "options", "interval"),
    [
        ("", (), "20.0"),
        ("", ("--websocket-ping", "7"), "7.0"),
        (", websocket_ping_interval=3", (), "3"),
    ],
)
def test_pings_are_sent_unless_the_program_says_otherwise(tmp_path, more, options, interval):
    (tmp_path / "pinging.py").write_text(APP.replace("{more}", more))
    command = ("run", "pinging:app", "--app-dir", str(tmp_path), "--port", "0", *options)
    with eyewall(*command) as server:
        url = server.url().replace("http", "ws")
        with connect(url) as ws:
            ws.send("interval")
            assert ws.recv() == f"interval {interval}"
        assert server.stop() == 0


def test_a_server_that_ends_closes_with_1012_and_does_not_wait(tmp_path):
    (tmp_path / "ending.py").write_text(APP.replace("{more}", ""))
    with eyewall("run", "ending:app", "--app-dir", str(tmp_path), "--port", "0") as server:
        with connect(server.url().replace("http", "ws")) as ws:
            ws.send("x")
            ws.recv()
            server.popen.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                ws.recv()
            assert ws.close_code == 1012
        assert server.end() == 0
