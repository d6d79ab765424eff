"""The message arrives; the answer does not wait for it."""

import asyncio
import email
import email.policy
import importlib.util

import pytest
from aiosmtpd.controller import Controller
from tests.databases.servers import free_port
from tests.support import ROOT

from eyewall.testing import TestClient


class Box:
    def __init__(self):
        self.taken = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.taken.append((envelope.rcpt_tos, message))
        return "250 taken"


@pytest.fixture
def server():
    controller = Controller(Box(), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def app(server, monkeypatch):
    monkeypatch.setenv("SMTP_PORT", str(server.port))
    path = ROOT / "examples" / "mail" / "app.py"
    spec = importlib.util.spec_from_file_location("example_mail", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def ask(app, **fields):
    async def main():
        async with TestClient(app) as client:
            answer = await client.post("/link", data=fields)
            await app.drain()
            return answer.status

    return asyncio.run(main())


def test_the_link_is_sent_in_text_and_html(app, server):
    assert ask(app, name="Ann & Co", address="ann@example.org") == 202
    [(receivers, message)] = server.handler.taken
    assert receivers == ["ann@example.org"]
    assert "Hello Ann & Co," in message.get_body(("plain",)).get_content()
    assert "Hello Ann &amp; Co," in message.get_body(("html",)).get_content()


def test_what_is_no_address_is_logged_and_sends_nothing(app, server, caplog):
    assert ask(app, name="x", address="ann@example.org\r\nBcc: all@example.org") == 202
    assert server.handler.taken == []
    assert "is no address" in caplog.text
