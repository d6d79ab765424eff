"""The whole login with OpenID Connect, against a provider in the same loop."""

import contextlib
import json
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc.jwk import RSAKey

from eyewall.testing import TestClient
from eyewall.web import Application, RequestHandler
from eyewall.web.auth import OpenIDConnectMixin
from tests.unit.web.auth.provider import Provider

SECRET = "s3 cret&/"


class Login(RequestHandler, OpenIDConnectMixin):
    users: ClassVar = []

    async def get(self):
        if not self.is_callback():
            await self.authorize_redirect()
            return
        user = await self.get_authenticated_user()
        self.users.append(user)
        self.write({"sub": user.subject, "next": self.get_next_url("/home")})


class After(RequestHandler, OpenIDConnectMixin):
    async def get(self, what):
        user = Login.users[-1]
        if what == "refresh":
            user = await self.refresh(user)
            self.write({"access": user.access_token, "refresh": user.refresh_token})
        elif what == "info":
            self.write(await self.get_user_info(user))
        else:
            self.write(await self.logout_url(user, "http://app.example/bye") or "none")


@contextlib.asynccontextmanager
async def started(**settings):
    """A provider, an application that logs in at it, and a browser."""
    Login.users.clear()
    Login._providers.clear()
    async with Provider() as provider:
        app = Application(
            [(r"/login", Login), (r"/after/(.*)", After)],
            cookie_secret="a secret for tests",
            access_log=False,
            openid_connect={
                "issuer": provider.issuer,
                "client_id": "app",
                "client_secret": SECRET,
                **settings,
            },
        )
        async with TestClient(app) as browser:
            yield provider, browser


async def log_in(provider, browser, path="/login", **changes):
    """A login from beginning to end; `changes` are made to what the browser brings back."""
    away = await browser.get(path)
    assert away.status == 302, away.text
    back = provider.log_in(away.headers["Location"]) | changes
    return await browser.get(
        "/login?" + urlencode({k: v for k, v in back.items() if v is not None})
    )


def test_a_login_asks_for_all_that_protects_it_and_gives_the_user(run, caplog):
    caplog.set_level("DEBUG")

    async def main():
        async with started() as (provider, browser):
            away = await browser.get("/login?next=%2Finbox%3Fpage%3D2")
            sent = dict(parse_qsl(urlsplit(away.headers["Location"]).query))
            cookie = away.headers["Set-Cookie"]
            answer = await browser.get(
                "/login?" + urlencode(provider.log_in(away.headers["Location"]))
            )
            return provider, sent, cookie, answer, browser.cookies, browser.base_url

    provider, sent, cookie, answer, left, base = run(main)
    assert sent["response_type"] == "code"
    assert sent["client_id"] == "app"
    assert sent["redirect_uri"] == f"{base}/login"
    assert sent["scope"] == "openid profile email"
    assert sent["code_challenge_method"] == "S256"
    assert len({sent["state"], sent["nonce"], sent["code_challenge"]}) == 3
    assert min(len(sent[name]) for name in ("state", "nonce", "code_challenge")) == 43
    for part in ("HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/"):
        assert part in cookie
    assert answer.json() == {"sub": "ann", "next": "/inbox?page=2"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert left == {}
    # RFC 6749, section 2.3.1: "app:s3+cret%26%2F"
    assert provider.credentials == ["Basic YXBwOnMzK2NyZXQlMjYlMkY="]
    assert "client_secret" not in provider.forms[0]
    [user] = Login.users
    assert "access-1" not in repr(user)
    assert "refresh-1" not in repr(user)
    for secret in (SECRET, "access-1", "refresh-1", sent["state"], sent["nonce"]):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "place", ["//evil.example/", "https://evil.example/", "/\\evil", "x" * 600]
)
def test_a_next_on_another_site_is_forgotten(run, place):
    async def main():
        async with started() as (provider, browser):
            path = "/login?" + urlencode({"next": place})
            return (await log_in(provider, browser, path)).json()["next"]

    assert run(main) == "/home"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "wrong"}, "does not match this browser's cookie"),
        ({"state": "é"}, "does not match this browser's cookie"),
        ({"state": None}, "does not match this browser's cookie"),
        ({"code": None}, "there is no code"),
        ({"iss": "https://evil.example"}, "that of another issuer"),
        ({"code": "guessed"}, "the token endpoint answered 400: invalid_grant"),
        ({"error": "access_denied", "code": None}, "the provider refuses the login: access_denied"),
        ({"error": "a\nforged line"}, "an unprintable error"),
        ({"error": "e" * 999}, "refuses the login: " + "e" * 60),
    ],
)
def test_a_return_that_is_wrong_gets_403_and_one_line(run, caplog, changes, reason):
    async def main():
        async with started() as (provider, browser):
            return await log_in(provider, browser, **changes)

    answer = run(main)
    assert answer.status == 403
    [record] = [record for record in caplog.records if "403" in record.getMessage()]
    assert record.exc_info is None
    line = record.getMessage()
    assert reason in line
    assert len(line) < 250
    assert "code-0" not in line
    assert SECRET not in caplog.text
    assert Login.users == []


def test_a_login_belongs_to_the_browser_that_began_it(run, caplog):
    async def main():
        async with started() as (provider, browser):
            away = await browser.get("/login")
            back = provider.log_in(away.headers["Location"])
            browser.cookies.clear()
            return await browser.get("/login?" + urlencode(back))

    assert run(main).status == 403
    assert "its state has no cookie beside it" in caplog.text


def test_a_login_counts_once(run):
    async def main():
        async with started() as (provider, browser):
            away = await browser.get("/login")
            back = provider.log_in(away.headers["Location"])
            first = await browser.get("/login?" + urlencode(back))
            second = await browser.get("/login?" + urlencode(back))
            return first.status, second.status

    assert run(main) == (200, 403)


def test_two_tabs_may_log_in_at_once_but_not_any_number(run):
    async def main():
        async with started() as (provider, browser):
            backs = []
            for _ in range(6):
                away = await browser.get("/login")
                backs.append(provider.log_in(away.headers["Location"]))
            size = len(browser.cookies["_login"])
            statuses = [(await browser.get("/login?" + urlencode(back))).status for back in backs]
            return size, statuses

    size, statuses = run(main)
    assert size < 3000
    assert statuses == [403, 403, 200, 200, 200, 200]


@pytest.mark.parametrize("cookie", ["", "x", "2|1:0|", "2|" * 3000])
def test_a_forged_cookie_is_no_login(run, cookie):
    async def main():
        async with started() as (provider, browser):
            away = await browser.get("/login")
            back = provider.log_in(away.headers["Location"])
            browser.cookies["_login"] = cookie
            return (await browser.get("/login?" + urlencode(back))).status

    assert run(main) == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"at_hash": "wrong"},
    ],
)
def test_an_id_token_that_is_wrong_logs_nobody_in(run, claims):
    async def main():
        async with started() as (provider, browser):
            provider.claims = claims
            return (await log_in(provider, browser)).status

    assert run(main) == 403
    assert Login.users == []


@pytest.mark.parametrize(
    "answer", [{"id_token": None}, {"id_token": "x"}, {"access_token": None}, {"access_token": 7}]
)
def test_an_answer_without_tokens_logs_nobody_in(run, answer):
    async def main():
        async with started() as (provider, browser):
            provider.answer = answer
            return (await log_in(provider, browser)).status

    assert run(main) in {403, 502}
    assert Login.users == []


def test_a_new_key_of_the_provider_is_fetched_and_an_unknown_one_not_again_and_again(run):
    async def main():
        async with started() as (provider, browser):
            statuses = [(await log_in(provider, browser)).status]
            [[known]] = [kept.values() for kept in Login._providers.values()]
            known._clock = lambda: 1e9
            provider.keys.insert(0, RSAKey.generate_key(2048, {"kid": "k2"}))
            known._metadata_at, known._keys_at = 1e9 - 60, 1e9 - 60
            statuses.append((await log_in(provider, browser)).status)
            fetched = provider.asked.count("jwks")
            provider.keys.insert(0, RSAKey.generate_key(2048, {"kid": "k3"}))
            published, provider.keys = provider.keys, provider.keys[:1]
            for _ in range(5):
                statuses.append((await log_in(provider, browser)).status)
            provider.keys = published
            return statuses, fetched, provider.asked

    statuses, fetched, asked = run(main)
    assert statuses == [200, 200, 403, 403, 403, 403, 403]
    assert (fetched, asked.count("jwks")) == (2, 2)
    assert asked.count(".well-known/openid-configuration") == 1


def test_a_refresh_gives_new_tokens_for_the_same_user(run):
    async def main():
        async with started() as (provider, browser):
            await log_in(provider, browser)
            provider.answer = {"access_token": "access-2", "refresh_token": "refresh-2"}
            renewed = await browser.get("/after/refresh")
            provider.claims = {"sub": "eve"}
            other = await browser.get("/after/refresh")
            provider.claims = {}
            provider.answer = {"id_token": "x"}
            broken = await browser.get("/after/refresh")
            return renewed.json(), other.status, broken.status, provider.forms[1]

    renewed, other, broken, form = run(main)
    assert renewed == {"access": "access-2", "refresh": "refresh-2"}
    assert (other, broken) == (403, 403)
    assert form == {"grant_type": "refresh_token", "refresh_token": "refresh-1"}


def test_user_info_is_that_of_the_user(run):
    async def main():
        async with started() as (provider, browser):
            await log_in(provider, browser)
            info = await browser.get("/after/info")
            provider.user = {"sub": "eve"}
            return info.json(), (await browser.get("/after/info")).status

    assert run(main) == ({"sub": "ann", "name": "Ann"}, 403)


def test_the_logout_names_the_user_and_the_way_back(run):
    async def main():
        async with started() as (provider, browser):
            await log_in(provider, browser)
            return (await browser.get("/after/logout")).text, provider.issuer

    url, issuer = run(main)
    query = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(f"{issuer}/logout?tenant=1&")
    assert query["id_token_hint"] == Login.users[0].id_token
    assert query["post_logout_redirect_uri"] == "http://app.example/bye"
    assert query["client_id"] == "app"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": "ftp://127.0.0.1/token"},
        {"jwks_uri": None},
        {"jwks_uri": "http://[::1"},
        {"userinfo_endpoint": 7},
    ],
)
def test_metadata_that_cannot_be_trusted_is_refused(run, metadata, caplog):
    async def main():
        async with started() as (provider, browser):
            provider.metadata = metadata
            return (await browser.get("/login")).status

    assert run(main) == 502
    assert not any(record.exc_info for record in caplog.records)


def test_an_issuer_elsewhere_must_be_https(run, caplog):
    async def main():
        async with started(issuer="http://issuer.example") as (_, browser):
            return (await browser.get("/login")).status

    assert run(main) == 502
    assert "no https address" in caplog.text


def test_a_provider_that_is_down_is_asked_once_in_a_while(run, caplog):
    async def main():
        async with started() as (provider, browser):
            provider.down = True
            statuses = [(await browser.get("/login")).status for _ in range(4)]
            return statuses, len(provider.asked)

    assert run(main) == ([502] * 4, 1)
    assert not any(record.exc_info for record in caplog.records)


def test_a_code_and_a_secret_do_not_follow_redirects(run):
    async def main():
        async with started() as (provider, browser):
            provider.moved = f"{provider.issuer}/elsewhere"
            answer = await log_in(provider, browser)
            return answer.status, provider.asked

    status, asked = run(main)
    assert status == 502
    assert "elsewhere" not in asked


@pytest.mark.parametrize("keys", [{"keys": 7}, [], {}])
def test_keys_that_are_no_set_log_nobody_in(run, keys):
    async def main():
        async with started() as (provider, browser):
            provider.key_set = keys
            return (await log_in(provider, browser)).status

    assert run(main) == 502


def test_a_provider_without_a_page_or_a_profile_says_so(run):
    async def main():
        async with started() as (provider, browser):
            provider.metadata = {"end_session_endpoint": "", "userinfo_endpoint": ""}
            bad = await browser.get("/login")
        async with started() as (provider, browser):
            provider.without = ("end_session_endpoint", "userinfo_endpoint")
            await log_in(provider, browser)
            out, info = await browser.get("/after/logout"), await browser.get("/after/info")
            return bad.status, out.text, info.status

    assert run(main) == (502, "none", 502)


def test_a_refresh_needs_its_token_and_keeps_what_the_provider_does_not_renew(run, caplog):
    async def main():
        async with started() as (provider, browser):
            provider.answer = {"refresh_token": None, "expires_in": True}
            await log_in(provider, browser)
            without = await browser.get("/after/refresh")
            provider.answer = {}
            await log_in(provider, browser)
            provider.answer = {"refresh_token": None, "id_token": 7}
            provider.dropped = ("id_token",)
            kept = await browser.get("/after/refresh")
            return without.status, kept.json()

    without, kept = run(main)
    assert without == 500
    assert "ask for the scope offline_access" in caplog.text
    assert kept == {"access": "access-1", "refresh": "refresh-1"}
    assert Login.users[0].expires_at is None


def test_a_provider_that_names_itself_in_its_answers_must(run):
    async def main():
        async with started() as (provider, browser):
            provider.metadata = {"authorization_response_iss_parameter_supported": True}
            without = await log_in(provider, browser)
            named = await log_in(provider, browser, iss=provider.issuer)
            return without.status, named.status

    assert run(main) == (403, 200)


@pytest.mark.parametrize(
    ("settings", "metadata", "fields"),
    [
        ({"client_secret": None}, {}, {"client_id": "app"}),
        (
            {},
            {"token_endpoint_auth_methods_supported": ["client_secret_post"]},
            {"client_id": "app", "client_secret": SECRET},
        ),
    ],
)
def test_a_program_shows_itself_as_the_provider_wants(run, settings, metadata, fields):
    async def main():
        async with started(**settings) as (provider, browser):
            provider.metadata = metadata
            answer = await log_in(provider, browser)
            return answer.status, provider.credentials, provider.forms[0]

    status, credentials, form = run(main)
    assert (status, credentials) == (200, [None])
    assert {name: form.get(name) for name in fields} == fields


def test_a_missing_setting_is_named(run, caplog):
    app = Application([(r"/login", Login)], access_log=False)

    async def main():
        async with TestClient(app) as browser:
            return (await browser.get("/login")).status

    assert run(main) == 500
    assert "openid_connect" in caplog.text


def test_the_settings_say_what_is_asked_for(run):
    async def main():
        options = {"scope": ["openid", "groups"], "max_age": 60, "redirect_uri": "https://a/b"}
        async with started(**options) as (provider, browser):
            away = await browser.get("/login")
            return dict(parse_qsl(urlsplit(away.headers["Location"]).query))

    sent = run(main)
    assert (sent["scope"], sent["max_age"]) == ("openid groups", "60")
    assert sent["redirect_uri"] == "https://a/b"
    assert json.dumps(sent).count("openid") == 1
