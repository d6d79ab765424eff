"""Headless browsers."""

import tempfile

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.support.ui import WebDriverWait

from tests.support import require

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,720",
)


@pytest.fixture
def open_page(tmp_path):
    chromium, driver = require("chromium"), require("chromedriver")
    opened = []

    def open_page(url):
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        profile = tempfile.mkdtemp(dir=tmp_path)
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        opened.append(browser)
        browser.get(url)
        return browser

    yield open_page
    for browser in opened:
        browser.quit()


def wait(browser, condition, seconds=20):
    """Wait until something holds of a page; returns it."""
    return WebDriverWait(browser, seconds, 0.05, [StaleElementReferenceException]).until(condition)
