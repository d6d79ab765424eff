"""The chat in two headless browsers, with a restart in between."""

from selenium.webdriver.common.by import By

from tests.browser.conftest import wait
from tests.support import CHAT, ROOT, eyewall


def texts(browser):
    return [item.text for item in browser.find_elements(By.CSS_SELECTOR, "#messages p")]


def say(browser, text):
    field = browser.find_element(By.ID, "text")
    field.clear()
    field.send_keys(text)
    browser.find_element(By.CSS_SELECTOR, "#say button").click()


def test_two_browsers_talk_one_votes_and_a_restart_loses_nothing(open_page, tmp_path):
    database = {"CHAT_DB": str(tmp_path / "chat.sqlite3")}
    command = ("run", "app:app", "--app-dir", str(CHAT), "--port")
    with eyewall(*command, "0", env=database) as server:
        url = server.url()
        port = url.rpartition(":")[2]
        ada = open_page(f"{url}/?room=storm&name=Ada")
        ben = open_page(f"{url}/?room=storm&name=Ben")
        say(ada, "The eye is calm ☂ <b>here</b>")
        wait(ben, lambda page: texts(page) == ["The eye is calm ☂ <b>here</b>"])
        say(ben, "And the wall is fast")
        wait(ada, lambda page: len(texts(page)) == 2)
        ben.find_element(By.CSS_SELECTOR, "#messages li button").click()
        for page in (ada, ben):
            wait(page, lambda page: "▲ 1" in page.find_element(By.ID, "messages").text)
        assert server.stop() == 0
    with eyewall(*command, port, env=database) as server:
        server.url()
        say(ada, "Still here after the restart")
        for page in (ada, ben):
            wait(page, lambda page: len(texts(page)) == 3)
            wait(page, lambda page: page.find_element(By.ID, "state").text == "Connected")
        assert texts(ada) == texts(ben)
        late = open_page(f"{url}/?room=storm&name=Cleo")
        wait(late, lambda page: texts(page) == texts(ada))
        assert "▲ 1" in late.find_element(By.ID, "messages").text
        shots = ROOT / "build" / "screenshots"
        shots.mkdir(parents=True, exist_ok=True)
        ada.save_screenshot(str(shots / "chat.png"))
