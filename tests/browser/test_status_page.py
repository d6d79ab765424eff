"""The status page in a browser: live figures, the log, and its buttons."""

import os
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import wait
from tests.support import eyewall

APP = """
import logging
from eyewall import Application

def talk(request):
    logging.warning("a word from the program <b>&")
    return "talked"

app = Application([(r"/", lambda request: "hello"), (r"/talk", talk)])

@app.every("100ms", name="tick", once_per="worker")
async def tick():
    pass
"""


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def text(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector).text


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_the_page_shows_what_happens_and_holds_traffic(open_page, tmp_path, workers):
    (tmp_path / "app.py").write_text(APP)
    options = ("--status", "--metrics", "--admin", "127.0.0.1:0", "--control", "off", *workers)
    with eyewall("run", "--app-dir", str(tmp_path), "--port", "0", *options) as server:
        found = [server.wait_for(r"(http://[0-9.:]+)") for _ in range(2)]
        admin = next(match[1] for match in found if "Health checks" in match.string)
        url = next(match[1] for match in found if "Health checks" not in match.string)
        for _ in range(20):
            get(url)
        get(f"{url}/talk")
        browser = open_page(f"{admin}/_eyewall/")
        wait(browser, lambda b: text(b, "#state") == "Live")
        wait(browser, lambda b: "/talk" in text(b, "#routes"))
        routes = text(browser, "#routes").splitlines()
        assert routes[0].split()[:2] == ["route", "answers"]
        assert routes[1].split()[:3] == ["/", "20", "0"]
        rows = browser.find_elements(By.CSS_SELECTOR, "#workers tr")
        assert len(rows) == 1 + (2 if workers else 1)
        wait(browser, lambda b: "a word from the program <b>&" in text(b, "#log"))
        assert "tick" in text(browser, "#jobs")
        wait(
            browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#rate polyline[points]")) == 1
        )

        browser.find_element(By.ID, "suspend").click()
        wait(browser, lambda b: text(b, "#state").startswith("Suspended"))
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(get, url)
            wait(browser, lambda b: text(b, "#state") == "Suspended, 1 requests wait")
            assert not held.done()
            browser.find_element(By.ID, "resume").click()
            assert held.result() == "hello"
        wait(browser, lambda b: text(b, "#state") == "Live")

        browser.find_element(By.ID, "reload").click()
        if workers:
            wait(browser, lambda b: "Generation 2 serves" in text(b, "#log"))
        else:
            wait(browser, lambda b: "reload needs workers" in text(b, "#said"))
        loaded = browser.execute_script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        assert loaded
        assert all(name.startswith(admin) for name in loaded)
        assert not [
            line
            for line in browser.get_log("browser")
            if line["level"] == "SEVERE" and "409" not in line["message"]
        ]
        if folder := os.environ.get("SCREENSHOTS"):
            browser.save_screenshot(str(Path(folder) / "status.png"))
        assert server.stop() == 0
