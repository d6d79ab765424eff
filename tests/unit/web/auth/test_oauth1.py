"""OAuth 1.0a against a provider process on oauthlib, and what is peculiar to Twitter."""

import base64
import json
import re
import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from eyewall.http.client import AsyncHTTPClient, HTTPClientError
from eyewall.testing import TestClient
from eyewall.web import Application, RequestHandler
from eyewall.web.auth import AuthError, OAuthMixin, TwitterMixin
from eyewall.web.auth.oauth1 import _pack, _unpack
from tests.auth_providers.oauth1 import CLIENT, SECRET
from tests.auth_providers.processes import oauth1_provider


@pytest.fixture(scope="module")
def provider():
    with oauth1_provider() as address:
        yield address


class Login(RequestHandler, OAuthMixin):
    def initialize(self, provider, secret=SECRET):
        self.provider, self.secret = provider, secret
        self._OAUTH_REQUEST_TOKEN_URL = f"{provider}/request_token"
        self._OAUTH_AUTHORIZE_URL = f"{provider}/authorize"
        self._OAUTH_ACCESS_TOKEN_URL = f"{provider}/access_token"

    def _oauth_consumer_token(self):
        return {"key": CLIENT, "secret": self.secret}

    async def _oauth_get_user_future(self, access_token):
        return await self.ask("me", access_token)

    async def ask(self, path, access_token, method="GET", **fields):
        url = f"{self.provider}/api/{path}"
        signature = self._oauth_request_parameters(url, access_token, fields, method)
        client = self.get_auth_http_client()
        if method == "POST":
            target = f"{url}?{urlencode(signature)}"
            response = await client.fetch(target, method="POST", body=urlencode(fields))
        else:
            response = await client.fetch(f"{url}?{urlencode(fields | signature)}")
        return json.loads(response.body)

    async def get(self):
        if self.get_argument("oauth_token", None) is None:
            await self.authorize_redirect(callback_uri="/login?next=%2Finbox")
            return
        user = await self.get_authenticated_user()
        token = user["access_token"]
        said = await self.ask("echo", token, "POST", say="a b+c&ü")
        asked = await self.ask("echo", token, say="a b+c&ü/~*")
        self.write(
            {
                "name": user["name"],
                "token": sorted(token),
                "said": [said["said"], asked["said"]],
                "next": self.get_next_url(),
            }
        )


def app(provider, **arguments):
    return Application([(r"/login", Login, {"provider": provider, **arguments})], access_log=False)


async def allow(location):
    """What a person does at the provider: press the button; returns where they are sent."""
    client = AsyncHTTPClient()
    page = (await client.fetch(location)).body.decode()
    token = re.search(r"name=oauth_token value='([^']+)'", page)[1]
    answer = await client.fetch(
        f"{location.partition('?')[0]}",
        method="POST",
        body=urlencode({"oauth_token": token}),
        raise_error=False,
        follow_redirects=False,
    )
    return answer.headers["Location"]


def test_the_whole_login_with_signed_requests_of_the_api(run, provider, caplog):
    caplog.set_level("DEBUG")

    async def main():
        async with TestClient(app(provider)) as browser:
            away = await browser.get("/login")
            back = await allow(away.headers["Location"])
            assert back.startswith(browser.base_url)
            answer = await browser.get(back.removeprefix(browser.base_url))
            return away, back, answer, browser.cookies

    away, back, answer, cookies = run(main)
    assert away.status == 302
    assert away.headers["Location"].startswith(f"{provider}/authorize?oauth_token=")
    for part in ("HttpOnly", "SameSite=Lax", "Max-Age=600"):
        assert part in away.headers["Set-Cookie"]
    assert answer.json() == {
        "name": "ann",
        "token": ["key", "oauth_authorized_realms", "secret"],
        "said": ["a b+c&ü", "a b+c&ü/~*"],
        "next": "/inbox",
    }
    assert cookies == {}
    verifier = dict(parse_qsl(urlsplit(back).query))["oauth_verifier"]
    for secret in (SECRET, verifier):
        assert secret not in caplog.text


def test_a_login_belongs_to_the_browser_that_began_it_and_counts_once(run, provider, caplog):
    async def main():
        async with TestClient(app(provider)) as browser:
            away = await browser.get("/login")
            back = (await allow(away.headers["Location"])).removeprefix(browser.base_url)
            kept = dict(browser.cookies)
            browser.cookies.clear()
            stolen = await browser.get(back)
            await browser.get("/login")
            other = await browser.get(back)
            browser.cookies.update(kept)
            first = await browser.get(back)
            browser.cookies.update(kept)
            second = await browser.get(back)
            return [answer.status for answer in (stolen, other, first, second)]

    # Provider's words for a used token: it no longer knows it.
    assert run(main) == [403, 403, 200, 403]
    assert "no cookie beside it" in caplog.text
    assert "is not this browser's" in caplog.text
    assert not any(record.exc_info for record in caplog.records)
    assert "oauth_verifier" not in caplog.text


def test_a_wrong_verifier_or_secret_is_refused_by_the_provider(run, provider):
    async def main():
        async with TestClient(app(provider)) as browser:
            away = await browser.get("/login")
            back = (await allow(away.headers["Location"])).removeprefix(browser.base_url)
            wrong = re.sub(r"oauth_verifier=[^&]+", "oauth_verifier=" + "x" * 30, back)
            refused = await browser.get(wrong)
        async with TestClient(app(provider, secret="another")) as browser:
            return refused.status, (await browser.get("/login")).status

    assert run(main) == (403, 403)


@pytest.mark.parametrize("cookie", ["x", "|", "é|é", "a|b|c", "====|====", "w6k=|/w=="])
def test_a_cookie_that_is_no_token_is_refused(run, provider, cookie):
    async def main():
        async with TestClient(app(provider)) as browser:
            cookies = {"_oauth_request_token": cookie}
            answer = await browser.get("/login?oauth_token=x&oauth_verifier=y", cookies=cookies)
            return answer.status

    assert run(main) == 403


@given(st.text(), st.text())
def test_the_token_comes_back_from_its_cookie(key, secret):
    try:
        cookie = _pack({"key": key, "secret": secret})
    except UnicodeEncodeError:
        return
    assert _unpack(cookie) == {"key": key, "secret": secret}


@given(st.text(max_size=200))
def test_no_cookie_is_an_error(cookie):
    token = _unpack(cookie)
    assert token is None or token.keys() == {"key", "secret"}


class Known(RequestValidator):
    enforce_ssl = False
    client_key_length = nonce_length = (1, 40)

    def validate_client_key(self, *_):
        return True

    def get_client_secret(self, *_):
        return SECRET

    def validate_timestamp_and_nonce(self, *_, **__):
        return True


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=30), max_size=4),
    st.sampled_from(["GET", "POST"]),
)
def test_every_signature_is_the_one_that_the_server_side_computes(fields, method):
    try:
        urlencode(fields)
    except UnicodeEncodeError:
        return
    login = Login.__new__(Login)
    login.secret = SECRET
    url = "http://api.example/things"
    signature = login._oauth_request_parameters(url, {"key": "", "secret": ""}, fields, method)
    target = f"{url}?{urlencode(fields | signature)}"
    assert SignatureOnlyEndpoint(Known()).validate_request(target, method)[0]


class Api(RequestHandler):
    """What Twitter's addresses answer."""

    def get(self, path):
        if path == "request_token":
            self.write("oauth_token=zxcv&oauth_token_secret=1234&oauth_callback_confirmed=true")
        elif path == "access_token":
            self.write("oauth_token=hjkl&oauth_token_secret=vbnm&screen_name=foo")
        elif path == "account/verify_credentials.json":
            assert self.get_argument("oauth_token") == "hjkl"
            assert self.get_argument("oauth_signature_method") == "HMAC-SHA1"
            self.write({"screen_name": "foo", "name": "Foo"})
        elif path == "fails.json":
            self.set_status(500)
        elif path == "list.json":
            self.write("[1, 2]")
        else:
            self.write("<html>")

    def post(self, path):
        self.write({"posted": self.get_body_argument("status"), "path": path})


class Tweets(RequestHandler, TwitterMixin):
    def prepare(self):
        base = f"http://{self.request.host}/api"
        self._OAUTH_REQUEST_TOKEN_URL = f"{base}/request_token"
        self._OAUTH_ACCESS_TOKEN_URL = f"{base}/access_token"
        self._OAUTH_AUTHORIZE_URL = f"{base}/authorize"
        self._OAUTH_AUTHENTICATE_URL = f"{base}/authenticate"
        self._TWITTER_BASE_URL = base

    async def get(self, what):
        token = {"key": "hjkl", "secret": "vbnm"}
        if what == "authorize":
            await self.authorize_redirect()
        elif what == "authenticate":
            await self.authenticate_redirect("oob")
        elif what == "old":
            self._OAUTH_VERSION = "1.0"
            await self.authorize_redirect("/back")
        elif what == "nowhere":
            self._OAUTH_NO_CALLBACKS = True
            await self.authorize_redirect("/back")
        elif what == "post":
            self.write(await self.twitter_request("/say", token, {"status": "hi & lo"}))
        elif what == "list":
            self.write({"list": await self.twitter_request("/list", token, count=2)})
        elif what == "fails":
            try:
                await self.twitter_request("/fails", token)
            except HTTPClientError as error:
                self.write(str(error.code))
        elif what == "html":
            try:
                await self.twitter_request("/html", token)
            except AuthError as error:
                self.write(error.message)
        else:
            self.write(await self.get_authenticated_user())


def tweets(run, path, **options):
    app = Application(
        [(r"/api/(.*)", Api), (r"/(.*)", Tweets)],
        twitter_consumer_key="key",
        twitter_consumer_secret="secret",
        access_log=False,
    )

    async def main():
        async with TestClient(app) as browser:
            return await browser.get(path, **options)

    return run(main)


@pytest.mark.parametrize("way", ["authorize", "authenticate"])
def test_twitter_is_shown_the_request_token(run, way):
    answer = tweets(run, f"/{way}")
    assert answer.headers["Location"].endswith(f"/api/{way}?oauth_token=zxcv")
    assert answer.cookies["_oauth_request_token"] == "enhjdg==|MTIzNA=="


def test_the_old_version_names_the_callback_on_the_way_and_some_take_none(run):
    location = tweets(run, "/old").headers["Location"]
    assert re.search(
        r"authorize\?oauth_token=zxcv&oauth_callback=http%3A%2F%2F127.*%2Fback$", location
    )
    assert tweets(run, "/nowhere").status == 500


def test_a_twitter_user_has_a_name_and_the_token(run):
    cookies = {"_oauth_request_token": "enhjdg==|MTIzNA=="}
    answer = tweets(run, "/login?oauth_token=zxcv", cookies=cookies)
    assert answer.json() == {
        "access_token": {"key": "hjkl", "secret": "vbnm", "screen_name": "foo"},
        "name": "Foo",
        "screen_name": "foo",
        "username": "foo",
    }


def test_twitter_requests_give_json_and_tell_failures(run):
    assert tweets(run, "/post").json() == {"posted": "hi & lo", "path": "say.json"}
    assert tweets(run, "/list").json() == {"list": [1, 2]}
    assert tweets(run, "/fails").text == "500"
    assert tweets(run, "/html").text == "Twitter answered with what is no JSON"


def test_a_missing_library_is_named(run, monkeypatch, caplog):
    for name in [name for name in sys.modules if name.partition(".")[0] == "oauthlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert tweets(run, "/authorize").status == 500
    assert "OAuth 1.0 needs the oauthlib library: pip install 'eyewall[auth]'" in caplog.text


def test_the_token_secret_is_only_packed_never_plain():
    packed = _pack({"key": "k", "secret": "s-1"})
    assert packed == f"{base64.b64encode(b'k').decode()}|{base64.b64encode(b's-1').decode()}"
