"""The test client's WebSockets."""

import pytest

from eyewall.http.client import HTTPClientError
from eyewall.realtime.websocket import WebSocketHandler
from eyewall.testing.client import TestClient
from eyewall.web import Application, RequestHandler


class Login(RequestHandler):
    def get(self):
        self.set_cookie("user", "ada")


class Echo(WebSocketHandler):
    def prepare(self):
        if self.get_cookie("user") is None:
            self.send_error(403)

    def select_subprotocol(self, subprotocols):
        return subprotocols[-1] if subprotocols else None

    def on_message(self, message):
        self.write_message(message, isinstance(message, bytes))


APP = Application([("/login", Login), ("/echo", Echo)], access_log=False)


@pytest.mark.parametrize("https", [False, True])
def test_messages_come_back_and_cookies_and_subprotocols_are_sent(run, https):
    async def main():
        async with TestClient(APP, https=https) as client:
            await client.get("/login")
            async with client.websocket("/echo", subprotocols=["a", "b"]) as ws:
                await ws.send("hello ☕")
                await ws.send(b"\x00")
                return await ws.read_message(), await ws.read_message(), ws.selected_subprotocol

    assert run(main) == ("hello ☕", b"\x00", "b")


def test_a_refusal_is_told_with_its_answer(run):
    async def main():
        async with TestClient(APP) as client:
            with pytest.raises(HTTPClientError) as caught:
                async with client.websocket("/echo"):
                    """Never."""
            return caught.value.code

    assert run(main) == 403
