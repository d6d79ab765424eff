"""The blog in a browser: somebody signs up, writes with a picture, logs out and in again."""

import struct
import zlib

from selenium.webdriver.common.by import By

from tests.browser.conftest import wait
from tests.support import ROOT, eyewall

BLOG = ROOT / "examples" / "blog"


def png(width, height):
    """A picture of one colour."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = (b"\0" + b"\x0b\x63\xc4" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


def fill(page, **fields):
    for name, value in fields.items():
        field = page.find_element(By.NAME, name)
        if name != "picture":
            field.clear()
        field.send_keys(value)
    page.find_element(By.CSS_SELECTOR, ".card button").click()


def heading(page, text):
    return wait(page, lambda page: text in page.find_element(By.TAG_NAME, "main").text)


def test_somebody_signs_up_writes_with_a_picture_and_comes_back_after_a_restart(
    open_page, tmp_path
):
    picture = tmp_path / "blue.png"
    picture.write_bytes(png(900, 200))
    command = ("run", "app:app", "--app-dir", str(BLOG), "--port")
    environment = {"BLOG_DATA": str(tmp_path / "data")}
    with eyewall(*command, "0", env=environment) as server:
        url = server.url()
        port = url.rpartition(":")[2]
        page = open_page(f"{url}/write")
        assert page.current_url == f"{url}/login?next=%2Fwrite"
        page.get(f"{url}/sign-up")
        fill(page, name="Ada", password="a long password")
        heading(page, "Welcome, Ada")
        page.get(f"{url}/write")
        text = "Calm <b>inside</b>.\n\nSee https://example.com/storm for more."
        fill(page, title="Wind & Weather", text=text, picture=str(picture))
        heading(page, "Published")
        assert page.current_url == f"{url}/entries/wind-weather"
        assert page.find_element(By.TAG_NAME, "h2").text == "Wind & Weather"
        assert "Calm <b>inside</b>." in page.find_element(By.TAG_NAME, "article").text
        link = page.find_element(By.LINK_TEXT, "https://example.com/storm")
        assert link.get_attribute("href") == "https://example.com/storm"
        image = page.find_element(By.TAG_NAME, "img")
        wait(page, lambda _: image.get_property("naturalWidth") == 900)
        shots = ROOT / "build" / "screenshots"
        shots.mkdir(parents=True, exist_ok=True)
        page.save_screenshot(str(shots / "blog.png"))
        assert server.stop() == 0
    with eyewall(*command, port, env=environment) as server:
        server.url()
        page.get(url)
        heading(page, "Wind & Weather")
        page.find_element(By.CSS_SELECTOR, "header button").click()
        wait(page, lambda page: page.find_elements(By.LINK_TEXT, "Log in"))
        page.get(f"{url}/entries/wind-weather/write")
        fill(page, name="Ada", password="not her password")
        heading(page, "Name or password are wrong.")
        fill(page, name="Ada", password="a long password")
        heading(page, "Change")
        fill(page, title="Only wind", text="Changed.")
        heading(page, "Changed.")
        assert page.find_elements(By.TAG_NAME, "img")
        page.find_element(By.CSS_SELECTOR, ".actions button").click()
        heading(page, "Nothing has been written yet.")
