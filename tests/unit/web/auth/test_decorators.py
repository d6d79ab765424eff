"""Who may call a verb."""

import asyncio

from eyewall.testing import TestClient
from eyewall.web import Application, RequestHandler
from eyewall.web.auth import authenticated, requires


def is_editor(handler):
    return handler.current_user == "editor"


async def owns(handler):
    await asyncio.sleep(0)
    return handler.current_user == handler.path_args[0]


class Page(RequestHandler):
    def get_current_user(self):
        return self.get_cookie("user")


class Member(Page):
    @authenticated
    def get(self):
        self.write("in")

    post = get


class Editor(Page):
    @requires(is_editor)
    def get(self):
        self.write("edit")

    @requires(is_editor)
    async def post(self):
        self.write("edited")


class Own(Page):
    @requires(owns)
    def get(self, name):
        self.write(name)

    @requires(owns)
    async def put(self, name):
        await asyncio.sleep(0)
        self.write(name)


def app():
    return Application(
        [(r"/member.*", Member), (r"/editor", Editor), (r"/own/(\w+)", Own)],
        login_url="/login",
        access_log=False,
    )


def ask(run, method, path, user=None):
    async def main():
        async with TestClient(app()) as client:
            cookies = {"user": user} if user else {}
            return await client.request(method, path, cookies=cookies)

    return run(main)


def test_readers_who_are_not_logged_in_are_sent_to_the_login_with_the_way_back(run):
    answer = ask(run, "GET", "/member?a=1&b=2")
    assert answer.status == 302
    assert answer.headers["Location"] == "/login?next=%2Fmember%3Fa%3D1%26b%3D2"


def test_writers_who_are_not_logged_in_get_403(run):
    assert ask(run, "POST", "/member").status == 403
    assert ask(run, "POST", "/editor").status == 403
    assert ask(run, "PUT", "/own/ann").status == 403


def test_a_predicate_decides_for_users_and_strangers_log_in(run, caplog):
    assert ask(run, "GET", "/editor").status == 302
    assert ask(run, "GET", "/editor", "reader").status == 403
    assert "is_editor does not hold" in caplog.text
    assert ask(run, "GET", "/editor", "editor").text == "edit"
    assert ask(run, "POST", "/editor", "editor").text == "edited"


def test_a_predicate_may_wait_and_look_at_the_path(run):
    assert ask(run, "GET", "/own/ann", "ann").text == "ann"
    assert ask(run, "PUT", "/own/ann", "ann").text == "ann"
    assert ask(run, "GET", "/own/ann", "eve").status == 403
    assert ask(run, "PUT", "/own/ann", "eve").status == 403
