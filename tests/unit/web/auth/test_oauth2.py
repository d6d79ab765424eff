"""OAuth 2.0: states, PKCE, Google and Facebook, against their addresses in the same loop."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from eyewall.http.client import HTTPClientError
from eyewall.testing import TestClient
from eyewall.web import Application, RequestHandler
from eyewall.web.auth import FacebookGraphMixin, GoogleOAuth2Mixin, OAuth2Mixin
from tests.conftest import Live


class Google(RequestHandler, GoogleOAuth2Mixin):
    def prepare(self):
        base = f"http://{self.request.host}/api"
        self._OAUTH_AUTHORIZE_URL = f"{base}/authorize"
        self._OAUTH_ACCESS_TOKEN_URL = f"{base}/token"
        self._OAUTH_USERINFO_URL = f"{base}/userinfo"

    async def get(self):
        if self.get_argument("code", None) is None:
            self.authorize_redirect(
                redirect_uri=self.get_redirect_uri(),
                client_id=self.get_google_oauth_settings()["key"],
                scope=["profile", "email"],
                extra_params={"prompt": "select_account"},
            )
            return
        code = self.get_argument("code") if self.get_argument("read", None) else None
        tokens = await self.get_authenticated_user(self.get_redirect_uri(), code)
        user = await self.get_user_info(tokens["access_token"])
        again = await self.oauth2_request(self._OAUTH_USERINFO_URL, tokens["access_token"])
        self.write({"user": user, "again": again, "next": self.get_next_url()})


class Facebook(RequestHandler, FacebookGraphMixin):
    def prepare(self):
        base = f"http://{self.request.host}/api"
        self._OAUTH_AUTHORIZE_URL = f"{base}/authorize"
        self._OAUTH_ACCESS_TOKEN_URL = f"{base}/fb/token"
        self._FACEBOOK_BASE_URL = f"{base}/fb"

    async def get(self):
        own = f"http://{self.request.host}/facebook"
        if self.get_argument("code", None) is None:
            state = self.get_argument("mine", None)
            extra = {"scope": "read_stream"} | ({"state": state} if state else {})
            self.authorize_redirect(redirect_uri=own, client_id="id", extra_params=extra)
            return
        user = await self.get_authenticated_user(
            redirect_uri=own,
            client_id="id",
            client_secret="fb-secret",
            code=self.get_argument("code"),
            extra_fields={"email"},
        )
        posted = await self.facebook_request(
            "/me/feed", access_token=user["access_token"], post_args={"message": "hi"}, limit=1
        )
        self.write({"user": user, "posted": posted})


class Plain(RequestHandler, OAuth2Mixin):
    _OAUTH_CHECK_STATE = False
    _OAUTH_TOKEN_IN_QUERY = False
    _OAUTH_AUTHORIZE_URL = "https://provider.example/authorize?tenant=1"

    async def get(self):
        if self.get_argument("ask", None):
            url = f"http://{self.request.host}/api/userinfo"
            try:
                self.write(await self.oauth2_request(url, self.get_argument("ask"), page=2))
            except HTTPClientError as error:
                self.write(str(error.code))
            return
        if self.get_argument("code", None):
            self.write(repr(self.take_login()))
            return
        self.authorize_redirect(client_id="a b")


class Api(RequestHandler):
    codes, status = {}, 200

    def get(self, path):
        if path == "userinfo":
            bearer = self.request.headers.get("Authorization")
            if bearer != "Bearer t-1" and self.get_argument("access_token", None) != "t-1":
                self.set_status(401)
                return
            self.write({"name": "Foo", "page": self.get_argument("page", None)})
        elif path == "fb/token":
            assert self.get_argument("client_secret") == "fb-secret"
            self.write({"access_token": "t-2", "expires_in": 3600})
        elif path == "fb/me":
            proof = hmac.new(b"fb-secret", b"t-2", hashlib.sha256).hexdigest()
            assert self.get_argument("appsecret_proof") == proof
            assert "email" in self.get_argument("fields").split(",")
            self.write({"id": "7", "name": "Foo"})

    def post(self, path):
        if path == "fb/me/feed":
            proved = self.get_query_argument("appsecret_proof", None) is not None
            self.write({"message": self.get_body_argument("message"), "proved": proved})
            return
        self.set_status(type(self).status)
        challenge = self.codes.get(self.get_argument("code"))
        digest = hashlib.sha256(self.get_argument("code_verifier").encode()).digest()
        if challenge != base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
            self.set_status(400)
            self.write({"error": "invalid_grant"})
        else:
            self.write({"access_token": "t-1", "id_token": "x"})


def app(**settings):
    settings = {
        "cookie_secret": "a secret for tests",
        "google_oauth": {"key": "google-id", "secret": "google-secret"},
        "facebook_secret": "fb-secret",
    } | settings
    return Application(
        [(r"/google", Google), (r"/facebook", Facebook), (r"/plain", Plain), (r"/api/(.*)", Api)],
        access_log=False,
        **settings,
    )


def query(location):
    return dict(parse_qsl(urlsplit(location).query))


async def log_in(browser, path, begin="", **changes):
    away = await browser.get(path + begin)
    sent = query(away.headers["Location"])
    code = f"code-{len(Api.codes)}"
    Api.codes[code] = sent.get("code_challenge")
    back = {"code": code, "state": sent["state"]} | changes
    given = {name: value for name, value in back.items() if value is not None}
    return sent, await browser.get(f"{path}?{urlencode(given)}")


@pytest.fixture(autouse=True)
def fresh():
    Api.codes.clear()
    Api.status = 200


def test_google_gives_tokens_for_a_code_with_its_proof(run):
    async def main():
        async with TestClient(app()) as browser:
            sent, answer = await log_in(browser, "/google", "?next=/inbox")
            _, read = await log_in(browser, "/google", read="1")
            return browser.base_url, sent, answer.json(), read.status

    base, sent, answer, read = run(main)
    assert sent["redirect_uri"] == f"{base}/google"
    assert sent["scope"] == "profile email"
    assert sent["prompt"] == "select_account"
    assert sent["client_id"] == "google-id"
    assert "secret" not in str(sent)
    user = {"name": "Foo", "page": None}
    assert answer == {"user": user, "again": user, "next": "/inbox"}
    assert read == 200


@pytest.mark.parametrize("path", ["/google", "/facebook"])
@pytest.mark.parametrize("state", ["wrong", "", None, "ü", "x" * 500])
def test_a_wrong_state_gets_403_and_one_line(run, caplog, path, state):
    async def main():
        async with TestClient(app()) as browser:
            return (await log_in(browser, path, state=state))[1].status

    assert run(main) == 403
    [record] = caplog.records
    assert "does not match this browser's cookie" in record.getMessage()
    assert "code-0" not in caplog.text


def test_a_state_of_one_provider_does_not_count_at_another(run, caplog):
    class Other(Google):
        def prepare(self):
            super().prepare()
            self._OAUTH_AUTHORIZE_URL += "/other"

    async def main():
        both = app()
        both.add_handlers(".*", [(r"/other", Other)])
        async with TestClient(both) as browser:
            away = await browser.get("/other")
            state = query(away.headers["Location"])["state"]
            return (await browser.get(f"/google?code=x&state={state}")).status

    assert run(main) == 403
    assert "that of another provider" in caplog.text


def test_a_code_without_its_proof_is_refused_with_the_provider_s_word(run, caplog):
    async def main():
        async with TestClient(app()) as browser:
            return (await log_in(browser, "/google", code="stolen"))[1].status

    assert run(main) == 403
    assert "the token endpoint answered 400: invalid_grant" in caplog.text
    assert "google-secret" not in caplog.text


def test_a_provider_that_fails_is_an_error_of_the_server(run, caplog):
    async def main():
        Api.status = 500
        async with TestClient(app()) as browser:
            return (await log_in(browser, "/google"))[1].status

    assert run(main) == 500
    assert "HTTPClientError" in caplog.text
    assert "google-secret" not in caplog.text


def test_facebook_gives_the_profile_and_each_request_shows_the_proof(run):
    async def main():
        async with TestClient(app()) as browser:
            return (await log_in(browser, "/facebook"))[1].json()

    answer = run(main)
    user = answer["user"]
    assert (user["id"], user["name"], user["email"]) == ("7", "Foo", None)
    assert (user["access_token"], user["session_expires"]) == ("t-2", "3600")
    assert answer["posted"] == {"message": "hi", "proved": True}


def test_a_state_of_the_program_is_checked_too(run):
    async def main():
        async with TestClient(app()) as browser:
            sent, answer = await log_in(browser, "/facebook", "?mine=abc")
            long = await browser.get("/facebook?mine=" + "x" * 201)
            return sent["state"], answer.status, long.status

    assert run(main) == ("abc", 200, 500)


def test_without_the_check_no_secret_for_cookies_is_needed(run):
    async def main():
        async with TestClient(app(cookie_secret=None)) as browser:
            away = await browser.get("/plain")
            back = await browser.get("/plain?code=c&state=anything")
            checked = await browser.get("/google")
            return away.headers["Location"], back.text, checked.status

    location, back, checked = run(main)
    assert location == (
        "https://provider.example/authorize?tenant=1&response_type=code&client_id=a+b"
    )
    assert back == "('c', None)"
    assert checked == 500


def test_tokens_may_go_in_the_header_and_a_refusal_is_told(run):
    async def main():
        async with TestClient(app()) as browser:
            given = await browser.get("/plain?ask=t-1")
            return given.json(), (await browser.get("/plain?ask=wrong")).text

    assert run(main) == ({"name": "Foo", "page": "2"}, "401")


def test_over_tls_the_cookie_is_for_this_host_alone(run):
    async def ask(live, target, **headers):
        peer = await live.connect()
        lines = [f"GET {target} HTTP/1.1", "Host: h.example", "X-Forwarded-Proto: https"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        peer.send("\r\n".join([*lines, "", ""]).encode())
        _, answered, _ = await peer.answer()
        await peer.close()
        return answered

    async def main():
        live = Live(app(), trusted=["*"])
        away = await ask(live, "/google")
        state = query(away["location"])["state"]
        cookie = away["set-cookie"]
        back = f"/google?error=no&state={state}"
        gone = await ask(live, back, Cookie=cookie.partition(";")[0])
        live.close()
        return cookie, gone

    cookie, gone = run(main)
    assert cookie.startswith("__Host-login=")
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert part in cookie
    assert "Domain" not in cookie
