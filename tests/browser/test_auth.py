"""Whole logins in a headless browser, at real providers in processes of their own."""

import asyncio
import contextlib
import json
import threading
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from selenium.webdriver.common.by import By

from eyewall.http.server.server import HTTPServer
from eyewall.testing import bind_unused_port
from eyewall.web import Application, RequestHandler
from eyewall.web.auth import OAuthMixin, OpenIDConnectMixin, authenticated
from tests.auth_providers.oauth1 import CLIENT, SECRET
from tests.auth_providers.processes import oauth1_provider, oidc_provider
from tests.browser.conftest import wait


class Page(RequestHandler):
    def get_current_user(self):
        name = self.get_signed_cookie("user")
        return name.decode() if name else None


class Home(Page):
    def get(self):
        self.write(f"<h1>{'Hello, ' + self.current_user if self.current_user else 'Nobody'}</h1>")


class Inbox(Page):
    @authenticated
    def get(self):
        self.write(f"<h1>Inbox of {self.current_user}, page {self.get_argument('page')}</h1>")


class OpenIDLogin(Page, OpenIDConnectMixin):
    async def get(self):
        if not self.is_callback():
            await self.authorize_redirect(scope=["profile", "email", "offline_access"])
            return
        if self.application.catching:
            self.application.caught.append(self.request.full_url())
            return
        user = await self.get_authenticated_user()
        self.application.users.append(user)
        self.set_signed_cookie("user", user.claims.get("name") or user.subject)
        self.redirect(self.get_next_url())


class Refresh(Page, OpenIDConnectMixin):
    async def get(self):
        before = self.application.users[-1]
        after = await self.refresh(before)
        info = await self.get_user_info(after)
        renewed = after.access_token != before.access_token
        self.write(f"<pre>{json.dumps({'renewed': renewed, **info})}</pre>")


class Logout(Page, OpenIDConnectMixin):
    async def get(self):
        self.clear_cookie("user")
        home = f"http://{self.request.host}/"
        self.redirect(await self.logout_url(self.application.users[-1], home))


class OAuthLogin(Page, OAuthMixin):
    def initialize(self, provider):
        self._OAUTH_REQUEST_TOKEN_URL = f"{provider}/request_token"
        self._OAUTH_AUTHORIZE_URL = f"{provider}/authorize"
        self._OAUTH_ACCESS_TOKEN_URL = f"{provider}/access_token"
        self.provider = provider

    def _oauth_consumer_token(self):
        return {"key": CLIENT, "secret": SECRET}

    async def _oauth_get_user_future(self, access_token):
        url = f"{self.provider}/api/me"
        signature = self._oauth_request_parameters(url, access_token)
        answer = await self.get_auth_http_client().fetch(f"{url}?{urlencode(signature)}")
        return json.loads(answer.body)

    async def get(self):
        if self.get_argument("oauth_token", None) is None:
            await self.authorize_redirect(callback_uri="/login?next=/inbox%3Fpage%3D3")
            return
        user = await self.get_authenticated_user()
        self.set_signed_cookie("user", user["name"])
        self.redirect(self.get_next_url())


@contextlib.contextmanager
def served(make_app):
    """An application in a loop of its own thread; yields its address and the application."""
    sock, port = bind_unused_port()
    address = f"http://127.0.0.1:{port}"
    app = make_app(address)
    ready, stop = threading.Event(), None

    async def main():
        nonlocal stop
        stop = asyncio.get_running_loop(), asyncio.Event()
        server = HTTPServer(app)
        server.add_socket(sock)
        ready.set()
        await stop[1].wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield address, app
    finally:
        loop, event = stop
        loop.call_soon_threadsafe(event.set)
        thread.join(20)
        sock.close()


@pytest.fixture
def openid_site():
    with contextlib.ExitStack() as stack:

        def make_app(address):
            issuer = stack.enter_context(oidc_provider(f"{address}/login"))
            app = Application(
                [
                    ("/", Home),
                    ("/inbox", Inbox),
                    ("/login", OpenIDLogin),
                    ("/refresh", Refresh),
                    ("/logout", Logout),
                ],
                cookie_secret="a secret for tests",
                login_url="/login",
                openid_connect={
                    "issuer": issuer,
                    "client_id": "app",
                    "client_secret": "app secret & more, for tests",
                },
            )
            app.users, app.caught, app.catching = [], [], False
            return app

        yield stack.enter_context(served(make_app))


def heading(browser):
    return browser.find_element(By.TAG_NAME, "h1").text


def log_in_at_the_provider(browser, name):
    """Fill in the provider's login form, then agree to what the program asks for."""
    wait(browser, lambda page: page.find_elements(By.NAME, "login"))
    browser.find_element(By.NAME, "login").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys("any")
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait(browser, lambda page: not page.find_elements(By.NAME, "login"))
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()


def test_a_person_logs_in_with_openid_connect_refreshes_and_logs_out(open_page, openid_site):
    address, app = openid_site
    browser = open_page(f"{address}/inbox?page=2")
    log_in_at_the_provider(browser, "ann")
    wait(browser, lambda page: page.current_url == f"{address}/inbox?page=2")
    assert heading(browser) == "Inbox of ann, page 2"
    [user] = app.users
    assert user.subject == "ann"
    assert browser.get_cookie("_login") is None
    browser.get(f"{address}/refresh")
    info = json.loads(browser.find_element(By.TAG_NAME, "pre").text)
    assert info == {
        "renewed": True,
        "sub": "ann",
        "name": "ann Example",
        "email": "ann@example.com",
    }
    browser.get(f"{address}/logout")
    wait(browser, lambda page: page.find_elements(By.CSS_SELECTOR, "button[value=yes]"))
    browser.find_element(By.CSS_SELECTOR, "button[value=yes]").click()
    wait(browser, lambda page: page.current_url.startswith(f"{address}/"))
    assert heading(browser) == "Nobody"


def test_a_link_with_somebody_elses_code_logs_nobody_in(open_page, openid_site, caplog):
    address, app = openid_site
    mallory = open_page(f"{address}/login")
    app.catching = True
    log_in_at_the_provider(mallory, "mallory")
    wait(mallory, lambda page: app.caught)
    app.catching = False
    [link] = app.caught
    assert "code" in parse_qs(urlsplit(link).query)
    victim = open_page(f"{address}/")
    victim.get(link)
    assert "403" in victim.title
    victim.get(f"{address}/")
    assert heading(victim) == "Nobody"
    assert app.users == []
    assert "its state has no cookie beside it" in caplog.text


def test_who_does_not_agree_is_not_logged_in(open_page, openid_site, caplog):
    address, app = openid_site
    browser = open_page(f"{address}/login")
    wait(browser, lambda page: page.find_elements(By.NAME, "login"))
    browser.find_element(By.PARTIAL_LINK_TEXT, "Cancel").click()
    wait(browser, lambda page: page.current_url.startswith(f"{address}/login?"))
    assert "403" in browser.title
    assert "the provider refuses the login: access_denied" in caplog.text
    assert app.users == []


def test_a_person_logs_in_with_oauth_1(open_page):
    with oauth1_provider() as provider:

        def make_app(_address):
            return Application(
                [("/", Home), ("/inbox", Inbox), ("/login", OAuthLogin, {"provider": provider})],
                cookie_secret="a secret for tests",
                login_url="/login",
            )

        with served(make_app) as (address, _):
            browser = open_page(f"{address}/login")
            wait(browser, lambda page: page.find_elements(By.ID, "allow"))
            browser.find_element(By.ID, "allow").click()
            wait(browser, lambda page: page.current_url == f"{address}/inbox?page=3")
            assert heading(browser) == "Inbox of ann, page 3"
            assert browser.get_cookie("_oauth_request_token") is None
