"""The chat in two headless browsers, with a restart in between."""

import signal

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


def people(browser, *names):
    wait(browser, lambda page: page.find_element(By.ID, "people").text.split() == list(names))


def test_two_browsers_talk_one_votes_and_a_restart_loses_nothing(open_page, tmp_path):
    environment = {"CHAT_DATA": str(tmp_path)}
    command = ("run", "app:make_app", "--app-dir", str(CHAT), "--port")
    with eyewall(*command, "0", env=environment) as server:
        url = server.url()
        port = url.rpartition(":")[2]
        ada = open_page(f"{url}/?room=storm&name=Ada")
        ben = open_page(f"{url}/?room=storm&name=Ben&way=poll")
        people(ada, "Ada", "Ben")
        say(ada, "The eye is calm ☂ <b>here</b>")
        wait(ben, lambda page: texts(page) == ["The eye is calm ☂ <b>here</b>"])
        ben.find_element(By.ID, "text").send_keys("And")
        wait(ada, lambda page: page.find_element(By.ID, "typing").text == "Ben is typing…")
        say(ben, "And the wall is fast")
        wait(ada, lambda page: len(texts(page)) == 2)
        ben.find_element(By.CSS_SELECTOR, "#messages li button").click()
        for page in (ada, ben):
            wait(page, lambda page: "▲ 1" in page.find_element(By.ID, "messages").text)
        server.popen.send_signal(signal.SIGKILL)
        server.popen.wait(20)
    wait(ada, lambda page: page.find_element(By.ID, "state").text == "Connecting…")
    with eyewall(*command, port, env=environment) as server:
        server.url()
        wait(ada, lambda page: page.find_element(By.ID, "state").text == "Connected")
        say(ada, "Still here after the restart")
        for page in (ada, ben):
            wait(page, lambda page: len(texts(page)) == 3)
            wait(page, lambda page: page.find_element(By.ID, "state").text == "Connected")
        assert texts(ada) == texts(ben)
        late = open_page(f"{url}/?room=storm&name=Cleo")
        wait(late, lambda page: texts(page) == texts(ada))
        assert "▲ 1" in late.find_element(By.ID, "messages").text
        people(ada, "Ada", "Ben", "Cleo")
        shots = ROOT / "build" / "screenshots"
        shots.mkdir(parents=True, exist_ok=True)
        ada.save_screenshot(str(shots / "chat.png"))
        ada.find_element(By.ID, "room-name").send_keys("calm\n")
        wait(
            ada,
            lambda page: (
                page.find_element(By.ID, "room-title").text == "calm" and texts(page) == []
            ),
        )
        people(ben, "Ben", "Cleo")


def test_older_messages_come_a_page_at_a_time(open_page, tmp_path):
    environment = {"CHAT_DATA": str(tmp_path)}
    with eyewall(
        "run", "app:make_app", "--app-dir", str(CHAT), "--port", "0", env=environment
    ) as server:
        url = server.url()
        ada = open_page(f"{url}/?room=long&name=Ada")
        people(ada, "Ada")
        ada.execute_async_script(
            """const done = arguments[0];
            const {connect} = await import("/live/eyewall.js");
            const live = connect("/live", {token: () => "Ada"});
            for (let n = 0; n < 45; n++) await live.send("rooms/long", {text: `${n}`});
            await new Promise(resolve => setTimeout(resolve, 3000));
            for (let n = 45; n < 70; n++) await live.send("rooms/long", {text: `${n}`});
            live.close();
            done();"""
        )
        late = open_page(f"{url}/?room=long&name=Ben")
        wait(late, lambda page: texts(page) == [str(n) for n in range(20, 70)])
        late.find_element(By.ID, "older").click()
        wait(late, lambda page: texts(page) == [str(n) for n in range(70)])
        assert not late.find_element(By.ID, "older").is_displayed()
