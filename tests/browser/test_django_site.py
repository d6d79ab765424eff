"""A Django site with a live page: what is saved in the admin appears on an open page."""

import os
import subprocess
import sys

from selenium.webdriver.common.by import By

from tests.browser.conftest import wait
from tests.support import ROOT, eyewall

SITE = ROOT / "examples" / "django_site"


def texts(page):
    return [item.text for item in page.find_elements(By.CSS_SELECTOR, "#notes li")]


def test_a_note_written_in_the_admin_appears_on_an_open_page(open_page, tmp_path):
    environment = {"SITE_DATA": str(tmp_path), "DJANGO_SUPERUSER_PASSWORD": "a long password"}
    for command in (
        ("migrate", "--verbosity", "0"),
        ("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com"),
    ):
        manage = [sys.executable, "manage.py", *command]
        subprocess.run(manage, cwd=SITE, env={**os.environ, **environment}, check=True)
    command = ("run", "app:make_app", "--app-dir", str(SITE), "--port", "0")
    with eyewall(*command, env=environment) as server:
        url = server.url()
        board = open_page(url)
        wait(board, lambda page: page.find_element(By.ID, "who").text == "nobody in particular")
        admin = open_page(f"{url}/admin/notes/note/add/")
        admin.find_element(By.NAME, "username").send_keys("ada")
        admin.find_element(By.NAME, "password").send_keys("a long password")
        admin.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        text = wait(admin, lambda page: page.find_element(By.NAME, "text"))
        text.send_keys("Wind <b>& weather</b>")
        admin.find_element(By.NAME, "pinned").click()
        admin.find_element(By.NAME, "_save").click()
        wait(board, lambda page: texts(page) == ["Wind <b>& weather</b>"])
        board.refresh()
        wait(board, lambda page: texts(page) == ["Wind <b>& weather</b>"])
        admin.get(url)
        wait(admin, lambda page: page.find_element(By.ID, "who").text == "ada")
