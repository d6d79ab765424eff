"""Sessions of handlers, through the real engine."""

import pytest

from eyewall.web import Application
from eyewall.web.sessions import CookieStore, MemoryStore, SessionMixin
from eyewall.web.sessions.sqlite_store import SQLiteStore
from tests.conftest import Live


class Count(SessionMixin):
    def get(self):
        self.session["count"] = self.session.get("count", 0) + 1
        self.write({"count": self.session["count"]})


class Read(SessionMixin):
    async def get(self):
        self.write({"count": self.session.get("count"), "new": self.session.is_new})


class Login(SessionMixin):
    def post(self):
        self.session.rotate()
        self.session["user"] = "ada"
        self.redirect("/read")


class Logout(SessionMixin):
    async def post(self):
        self.session.invalidate()
        await self.finish("out")


class Flash(SessionMixin):
    def get(self):
        self.write({"messages": self.session.flashes()})

    def post(self):
        self.session.flash("saved")


class Big(SessionMixin):
    def get(self):
        self.session["big"] = "x" * 5000


class Late(SessionMixin):
    async def get(self):
        await self.flush()
        self.session["late"] = 1


ROUTES = [("/", Count), ("/read", Read), ("/login", Login), ("/logout", Logout),
          ("/flash", Flash), ("/big", Big), ("/late", Late)]  # fmt: skip


class Browser:
    """A client that keeps its cookie."""

    def __init__(self, live, cookie=None):
        self.live, self.cookie = live, cookie
        self.attributes = ""

    async def ask(self, target, method="GET"):
        peer = await self.live.connect()
        lines = [f"{method} {target} HTTP/1.1", "Host: h"]
        if method == "POST":
            lines.append("Content-Length: 0")
        if self.cookie:
            lines.append(f"Cookie: {self.cookie}")
        peer.send("\r\n".join([*lines, "", ""]).encode())
        status, headers, body = await peer.answer()
        await peer.close()
        if "set-cookie" in headers:
            self.cookie, _, self.attributes = headers["set-cookie"].partition(";")
        return status, body.decode(), "set-cookie" in headers


@pytest.fixture(params=["cookie", "memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "cookie":
        return CookieStore()
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "s.db")


@pytest.fixture
def browse(run, store):
    def browse(main):
        async def limited():
            app = Application(
                ROUTES, cookie_secret="secret", session={"store": store}, access_log=False
            )
            live = Live(app)
            try:
                return await main(Browser(live))
            finally:
                live.close()
                if hasattr(store, "close"):
                    await store.close()

        return run(limited)

    return browse


def test_a_browser_is_remembered_and_nothing_is_written_for_reading(browse):
    async def main(browser):
        assert await browser.ask("/read") == (200, '{"count":null,"new":true}', False)
        assert await browser.ask("/") == (200, '{"count":1}', True)
        assert "HttpOnly" in browser.attributes
        assert "SameSite=Lax" in browser.attributes
        assert "Secure" not in browser.attributes
        assert await browser.ask("/") == (200, '{"count":2}', True)
        assert await browser.ask("/read") == (200, '{"count":2,"new":false}', False)
        other = Browser(browser.live)
        assert (await other.ask("/"))[1] == '{"count":1}'

    browse(main)


def test_logging_in_changes_the_id_and_keeps_the_data(browse, store):
    async def main(browser):
        await browser.ask("/")
        before = browser.cookie
        status, _, set_again = await browser.ask("/login", "POST")
        assert (status, set_again) == (302, True)
        assert browser.cookie != before
        assert (await browser.ask("/read"))[1] == '{"count":1,"new":false}'
        if not isinstance(store, CookieStore):
            old = Browser(browser.live, before)
            assert (await old.ask("/read"))[1] == '{"count":null,"new":true}'

    browse(main)


def test_logging_out_forgets(browse, store):
    async def main(browser):
        await browser.ask("/")
        before = browser.cookie
        assert (await browser.ask("/logout", "POST"))[1] == "out"
        assert browser.cookie == "session="
        assert (await browser.ask("/read"))[1] == '{"count":null,"new":true}'
        if not isinstance(store, CookieStore):
            old = Browser(browser.live, before)
            assert (await old.ask("/read"))[1] == '{"count":null,"new":true}'

    browse(main)


def test_an_id_of_the_browsers_own_is_never_taken_over(browse):
    async def main(browser):
        browser.cookie = "session=" + "a" * 43
        assert (await browser.ask("/read"))[1] == '{"count":null,"new":true}'
        await browser.ask("/")
        assert browser.cookie != "session=" + "a" * 43

    browse(main)


def test_messages_are_shown_once(browse):
    async def main(browser):
        await browser.ask("/flash", "POST")
        assert (await browser.ask("/flash"))[1] == '{"messages":["saved"]}'
        assert (await browser.ask("/flash"))[1] == '{"messages":[]}'

    browse(main)


def test_what_does_not_fit_into_a_cookie_is_a_500_that_says_so(browse, store, caplog):
    async def main(browser):
        return (await browser.ask("/big"))[0]

    status = browse(main)
    if isinstance(store, CookieStore):
        assert status == 500
        assert "a cookie takes 3800" in caplog.text
    else:
        assert status == 200


def test_a_change_after_the_head_is_reported(browse, caplog):
    async def main(browser):
        return (await browser.ask("/late"))[0]

    assert browse(main) == 200
    assert "changed after the head was sent" in caplog.text
