"""Who may see the status page, and what may be asked of it."""

import asyncio
import base64
import json

import pytest

from eyewall.base.errors import ConfigurationError
from eyewall.base.log import gen_log
from eyewall.base.log_tail import LogTail
from eyewall.cli.admin import check_admin
from eyewall.cli.options import gather
from eyewall.ops.admin import AdminSite
from eyewall.ops.messages import PeerError
from eyewall.ops.status.feed import Feed
from eyewall.ops.status.page import StatusPage
from tests.conftest import Live

STATUS = {
    "pid": 1, "requests": 5, "refused": 0, "connections": 1, "exchanges": 0, "memory_mib": 30,
    "gate": {"suspended": False},
}  # fmt: skip


class Asked(list):
    """Answers as one process does, and notes what it was asked."""

    async def __call__(self, verb, message):
        self.append(verb)
        if verb in {"workers", "reload"}:
            raise PeerError(f"{verb} needs workers")
        return {"status": STATUS, "metrics": [], "log-tail": []}.get(verb, {"done": verb})


async def families():
    return []


def ask(
    run, *, password=None, path="/_eyewall/", method="GET", host="127.0.0.1:9", body=b"", **fields
):
    """Status, headers, body, and what was asked of the server."""
    asked = Asked()

    async def main():
        page = StatusPage(Feed(asked), password)
        live = Live(AdminSite(lambda: None, families, page))
        peer = await live.connect()
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}{length}\r\n"
        peer.send(head.encode() + body)
        answer = await peer.answer()
        await peer.close()
        await page.close()
        live.close()
        return *answer, list(asked)

    return run(main)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9090", "localhost", "LOCALHOST:1", "[::1]:9090", "10.0.0.1"]
)
def test_without_a_password_it_answers_to_addresses(run, host):
    status, headers, body, _ = ask(run, host=host)
    assert status == 200
    assert b"<title>Eyewall</title>" in body
    assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path", ["/_eyewall/", "/_eyewall/events", "/_eyewall/do", "/_eyewall/page.js"]
)
def test_a_name_that_somebody_has_pointed_here_is_refused(run, path):
    assert ask(run, host="evil.example:9090", path=path)[0] == 403


@pytest.mark.parametrize("field", [
    None, "Basic", "Basic !!", basic("ada", "wrong"), basic("ada", ""), "Bearer secret", "Basic c2VjcmV0",
])  # fmt: skip
def test_with_a_password_nobody_comes_in_without_it(run, field):
    fields = {"Authorization": field} if field else {}
    status, headers, _, asked = ask(run, password="secret", path="/_eyewall/events", **fields)
    assert status == 401
    assert headers["www-authenticate"].startswith("Basic")
    assert asked == []


def test_with_the_password_any_name_is_let_in(run):
    fields = {"Authorization": basic("ada", "se:cret")}
    assert ask(run, password="se:cret", host="status.example", **fields)[0] == 200


def test_health_and_metrics_need_no_password(run):
    assert ask(run, password="secret", path="/healthz")[0] == 200
    assert ask(run, password="secret", path="/metrics")[0] == 200


def test_a_page_of_another_origin_cannot_act(run):
    body = b'{"do": "suspend"}'
    status, *_, asked = ask(run, path="/_eyewall/do", method="POST", body=body)
    assert (status, asked) == (403, [])
    assert ask(run, path="/_eyewall/do", X_Eyewall="1")[0] == 403


@pytest.mark.parametrize("body", [
    b"{", b"[]", b"{}", b'{"do": "stop"}', b'{"do": ["suspend"]}', b"null", b"[" * 4000,
])  # fmt: skip
def test_only_what_has_a_button_can_be_asked(run, body):
    status, _, _, asked = ask(run, path="/_eyewall/do", method="POST", body=body, X_Eyewall="1")
    assert (status, asked) == (400, [])


def test_a_long_body_is_refused(run):
    assert ask(run, path="/_eyewall/do", method="POST", body=b"x" * 5000, X_Eyewall="1")[0] == 413


def test_what_is_asked_is_done_or_its_reason_is_said(run):
    sent = {"path": "/_eyewall/do", "method": "POST", "X_Eyewall": "1"}
    status, _, body, asked = ask(run, body=b'{"do": "suspend"}', **sent)
    assert (status, json.loads(body), asked) == (200, {"ok": {"done": "suspend"}}, ["suspend"])
    status, _, body, _ = ask(run, body=b'{"do": "reload"}', **sent)
    assert (status, json.loads(body)) == (409, {"error": "reload needs workers"})


def test_readers_get_an_event_a_second_and_nobody_is_asked_without_them(run):
    async def main():
        asked = Asked()
        page = StatusPage(Feed(asked), None)
        live = Live(AdminSite(lambda: None, families, page))
        await asyncio.sleep(0)
        assert asked == []
        peer = await live.connect()
        peer.send(b"GET /_eyewall/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await peer.reader.readuntil(b"data: ")
        event = json.loads(await peer.reader.readuntil(b"\n\n"))
        assert event["requests"] == 5
        assert event["workers"][0]["pid"] == 1
        await peer.close()
        await page.close()
        live.close()

    run(main)


def test_a_server_that_cannot_be_asked_is_said(run, caplog):
    async def fails(verb, message):
        raise PeerError("it has gone")

    async def main():
        page = StatusPage(Feed(fails), None)
        live = Live(AdminSite(lambda: None, families, page))
        peer = await live.connect()
        peer.send(b"GET /_eyewall/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"event: trouble" in await peer.reader.readuntil(b"says why\n\n")
        await peer.close()
        await page.close()
        live.close()

    run(main)
    assert "The status page could not be fed" in caplog.text


@pytest.mark.parametrize(("options", "why"), [
    ({"status": True}, "--status needs an address of its own"),
    ({"status": True, "admin": "0.0.0.0:9090"}, "needs a password"),
    ({"status": True, "admin": "status.example:9090"}, "needs a password"),
])  # fmt: skip
def test_a_page_that_would_be_open_to_others_is_refused(tmp_path, options, why):
    settings, _ = gather(options, {}, tmp_path)
    with pytest.raises(ConfigurationError, match=why):
        check_admin(settings)


@pytest.mark.parametrize("options", [
    {}, {"admin": "0.0.0.0:1"}, {"status": True, "admin": "127.0.0.1:1"},
    {"status": True, "admin": "[::1]:1"}, {"status": True, "admin": "unix:/x"},
    {"status": True, "admin": "0.0.0.0:1", "admin_password": "secret"},
])  # fmt: skip
def test_a_page_for_this_machine_or_with_a_password_is_fine(tmp_path, options):
    settings, _ = gather(options, {}, tmp_path)
    check_admin(settings)
    assert settings["status"] is bool(options.get("status"))


def test_the_tail_of_the_log_is_bounded_and_has_names():
    tail = LogTail()
    for number in range(300):
        tail.handle(gen_log.makeRecord("n", 30, "f", 1, "line %d" + "x" * 5000, (number,), None))
    lines = tail.lines()
    assert len(lines) == 100
    assert len({line["id"] for line in lines}) == 100
    assert lines[-1]["text"].startswith("line 299")
    assert max(len(line["text"]) for line in lines) == 2000
