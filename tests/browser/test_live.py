"""Live pages in a browser: every transport, a restart by SIGKILL, a proxy that breaks upgrades."""

import signal
import socket
import subprocess
import sys

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import wait
from tests.support import ROOT, eyewall

QUESTIONS = ROOT / "examples" / "live_questions"
# A proxy for HTTP/1.1 that drops Upgrade, as old ones do; optionally it holds answers back whole.
PROXY = """
import asyncio, sys
upstream, holds = int(sys.argv[1]), sys.argv[2] == "holds"

async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            first, *fields = head.split(b"\\r\\n")
            fields = [f for f in fields if f and not f.lower().startswith((b"upgrade:", b"connection:"))]
            if holds and b"by=events" in first:
                # It would keep an endless answer for itself.
                await asyncio.sleep(60)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
            up_writer.write(b"\\r\\n".join([first, *fields, b"Connection: close", b"", b""]))
            length = next((int(f.split(b":")[1]) for f in fields if f.lower().startswith(b"content-length:")), 0)
            if length:
                up_writer.write(await reader.readexactly(length))
            await pipe(up_reader, writer)
            up_writer.close()
            return
    except (asyncio.IncompleteReadError, OSError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def questions(page):
    return [heading.text for heading in page.find_elements(By.CSS_SELECTOR, "article h2")]


def state(page, text):
    wait(page, lambda page: page.find_element(By.ID, "state").text == text)


def ask(page, text):
    field = page.find_element(By.CSS_SELECTOR, "#ask input")
    field.clear()
    field.send_keys(text)
    page.find_element(By.CSS_SELECTOR, "#ask button").click()


def serve(tmp_path, port):
    command = ("run", "app:make_app", "--app-dir", str(QUESTIONS), "--port", str(port))
    return eyewall(*command, env={"QUESTIONS_DATA": str(tmp_path / "data")})


@pytest.mark.parametrize("way", ["socket", "events", "poll"])
def test_pages_follow_each_other_over_every_transport(open_page, tmp_path, way):
    with serve(tmp_path, 0) as server:
        url = f"{server.url()}/?way={way}"
        one, two = open_page(url), open_page(url)
        for page in (one, two):
            state(page, f"open by {way}")
        ask(one, "Why <b>now</b>?")
        for page in (one, two):
            wait(page, lambda page: questions(page) == ["Why <b>now</b>?"])
        two.find_element(By.CSS_SELECTOR, "article > button").click()
        wait(one, lambda page: page.find_element(By.CSS_SELECTOR, "article > button").text == "▲ 1")
        two.find_element(By.CSS_SELECTOR, "article input").send_keys("Because.")
        two.find_element(By.CSS_SELECTOR, "article form button").click()
        wait(one, lambda page: page.find_element(By.CSS_SELECTOR, "article li").text == "Because.")
        ask(one, "   ")
        wait(one, lambda page: page.find_element(By.ID, "error").text == "write something first")


def test_a_server_that_is_killed_and_comes_back_loses_nothing(open_page, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with serve(tmp_path, port) as server:
        url = server.url()
        one, two = open_page(url), open_page(f"{url}/?way=poll")
        state(one, "open by socket")
        state(two, "open by poll")
        ask(one, "first")
        wait(two, lambda page: questions(page) == ["first"])
        server.popen.send_signal(signal.SIGKILL)
        server.popen.wait(20)
    wait(one, lambda page: "open" not in page.find_element(By.ID, "state").text)
    with serve(tmp_path, port) as server:
        server.url()
        state(one, "open by socket")
        ask(one, "second")
        ask(one, "third")
        for page in (one, two):
            wait(page, lambda page: questions(page) == ["third", "second", "first"])


@pytest.mark.parametrize(("holds", "way"), [("passes", "events"), ("holds", "poll")])
def test_a_proxy_that_breaks_upgrades_is_got_around_and_remembered(open_page, tmp_path, holds, way):
    with serve(tmp_path, 0) as server:
        port = server.url().rpartition(":")[2]
        proxy = subprocess.Popen(
            [sys.executable, "-c", PROXY, port, holds], stdout=subprocess.PIPE, text=True
        )
        try:
            url = f"http://127.0.0.1:{int(proxy.stdout.readline())}"
            page = open_page(url)
            wait(page, lambda page: page.find_element(By.ID, "state").text == f"open by {way}", 60)
            ask(page, "Through?")
            wait(page, lambda page: questions(page) == ["Through?"])
            page.refresh()
            state(page, f"open by {way}")
        finally:
            proxy.terminate()
            proxy.wait()
            proxy.stdout.close()


def test_the_tutorial_s_page_is_live(open_page, tmp_path):
    tutorial = (ROOT / "docs" / "tutorial" / "live-page.md").read_text()
    (tmp_path / "app.py").write_text(tutorial.split("```python\n")[1].split("```")[0])
    with eyewall("run", "app:app", "--port", "0", cwd=tmp_path) as server:
        url = server.url()
        one, two = open_page(url), open_page(url)
        for number, page in enumerate((one, two, one), 1):
            page.find_element(By.TAG_NAME, "button").click()
            for each in (one, two):
                wait(
                    each,
                    lambda page, n=number: page.find_element(By.TAG_NAME, "button").text == str(n),
                )
