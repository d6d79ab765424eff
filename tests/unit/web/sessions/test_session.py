"""Sessions of requests that run at the same time, and of errors."""

import asyncio
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web import Application
from eyewall.web.sessions import CookieStore, MemoryStore, Session, SessionMixin, SessionStoreError
from eyewall.web.sessions.sqlite_store import SQLiteStore
from tests.conftest import Live
from tests.web.test_sessions import Browser

DATA = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 3) | st.lists(st.integers(0, 3)))


class Change(SessionMixin):
    """Changes what the query says, after waiting where it says so."""

    async def get(self):
        for name in self.get_arguments("remove"):
            self.session.pop(name, None)
        if self.get_argument("set", None):
            self.session[self.get_argument("set")] = 1
        if self.get_argument("rotate", None):
            self.session.rotate()
        if self.get_argument("end", None):
            self.session.invalidate()
        if self.get_argument("wait", None):
            self.settings["entered"].set()
            await self.settings["go_on"].wait()


class Read(SessionMixin):
    def get(self):
        self.write(dict(self.session))


class Bad(SessionMixin):
    def get(self):
        self.session["bad"] = object()


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "s.db")


@pytest.fixture
def browse(run):
    def browse(main, store):
        async def served():
            app = Application(
                [("/", Change), ("/read", Read), ("/bad", Bad)],
                cookie_secret="secret",
                session={"store": store},
                access_log=False,
                entered=asyncio.Event(),
                go_on=asyncio.Event(),
            )
            live = Live(app)
            try:
                return await main(Browser(live), app.settings)
            finally:
                live.close()
                if hasattr(store, "close"):
                    await store.close()

        return run(served)

    return browse


async def during(browser, settings, slow, *others):
    """Ask `others` while `slow` runs; returns what the session of the old cookie holds then."""
    old = Browser(browser.live, browser.cookie)
    waiting = asyncio.ensure_future(old.ask(slow + "&wait=1"))
    await settings["entered"].wait()
    for target in others:
        await browser.ask(target)
    settings["go_on"].set()
    _, _, set_cookie = await waiting
    return json.loads((await old.ask("/read"))[1]), set_cookie


def test_a_request_that_is_still_running_does_not_undo_a_logout(browse, store):
    """It saved the session that another request had ended, login and all."""

    async def main(browser, settings):
        await browser.ask("/?set=user&rotate=1")
        return await during(browser, settings, "/?set=seen", "/?end=1")

    assert browse(main, store) == ({}, False)


def test_a_request_that_is_still_running_does_not_bring_an_old_id_back(browse, store):
    async def main(browser, settings):
        await browser.ask("/?set=user")
        return await during(browser, settings, "/?set=seen", "/?rotate=1")

    assert browse(main, store) == ({}, False)


def test_changes_of_two_requests_at_once_are_both_kept(browse, store):
    async def main(browser, settings):
        await browser.ask("/?set=a")
        await browser.ask("/?set=b")
        return await during(browser, settings, "/?set=c&remove=a", "/?set=d", "/?remove=b")

    assert browse(main, store) == ({"c": 1, "d": 1}, True)


@pytest.mark.parametrize("kind", [CookieStore, MemoryStore])
def test_what_cannot_be_encoded_is_answered_500(browse, kind, caplog):
    """The page of the error met the same error again, and the connection was cut."""

    async def main(browser, settings):
        return (await browser.ask("/bad"))[0]

    assert browse(main, kind()) == 500
    assert len([record for record in caplog.records if record.exc_info]) == 1


def session_of(data):
    return Session("x" * 43, json.loads(json.dumps(data)))


class Away:
    """A store that cannot be reached."""

    async def load(self, key):
        raise SessionStoreError("the store is away")

    async def save(self, key, data, max_age_s):
        raise SessionStoreError("the store is away")

    async def delete(self, key):
        raise SessionStoreError("the store is away")


@pytest.mark.parametrize("cookie", [None, "session=" + "x" * 43])
def test_a_store_that_is_away_is_answered_503_with_one_line(browse, cookie, caplog):
    async def main(browser, settings):
        browser.cookie = cookie
        return (await browser.ask("/?set=a"))[0]

    assert browse(main, Away()) == 503
    assert [record.getMessage() for record in caplog.records if "away" in record.getMessage()]
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize("kind", [CookieStore, MemoryStore])
def test_a_session_in_use_is_renewed_and_one_just_saved_is_not(browse, kind, monkeypatch):
    now = time.time()

    async def main(browser, settings):
        monkeypatch.setattr("time.time", lambda: now)
        await browser.ask("/?set=a")
        soon = (await browser.ask("/read"))[2]
        monkeypatch.setattr("time.time", lambda: now + 2 * 86400)
        later = (await browser.ask("/read"))[2]
        again = (await browser.ask("/read"))[2]
        settings["session"]["sliding"] = False
        monkeypatch.setattr("time.time", lambda: now + 4 * 86400)
        fixed = (await browser.ask("/read"))[2]
        return soon, later, again, fixed

    assert browse(main, kind()) == (False, True, False, False)


@given(DATA, DATA, DATA)
def test_merging_keeps_all_changes_and_this_requests_where_both_change_one(before, here, there):
    session = session_of(before)
    for name in list(session):
        del session[name]
    session.update(here)
    session.merge(json.dumps(there).encode())
    for name in "abcde":
        ours = here.get(name) != before.get(name)
        assert session.get(name) == (here if ours else there).get(name)


@given(st.binary(max_size=50))
def test_kept_data_that_cannot_be_read_changes_nothing(kept):
    session = session_of({"a": 1})
    session["b"] = 2
    session.merge(b"\xff" + kept)
    assert dict(session) == {"a": 1, "b": 2}
