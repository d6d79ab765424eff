"""The settings `secure_headers` and `cors`, through the real engine."""

import pytest

from eyewall.base.errors import ConfigurationError
from eyewall.testing.client import TestClient
from eyewall.web import Application, HTTPError, RequestHandler
from eyewall.web.safe_redirect import is_safe_redirect
from tests.conftest import Live


class Page(RequestHandler):
    def get(self):
        self.write("page")

    def put(self):
        raise HTTPError(409)


def function(request):
    return "function"


async def _ask(app, method, target, headers):
    live = Live(app)
    peer = await live.connect()
    lines = [f"{method} {target} HTTP/1.1", "Host: h", "Content-Length: 0"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    peer.send("\r\n".join([*lines, "", ""]).encode())
    status, answered, _ = await peer.answer()
    await peer.close()
    live.close()
    return status, answered


@pytest.fixture
def ask(run):
    def ask(method="GET", target="/", settings=None, **headers):
        app = Application([("/", Page), ("/f", function)], access_log=False, **(settings or {}))
        return run(lambda: _ask(app, method, target, headers))

    return ask


@pytest.mark.parametrize(("method", "target", "status"), [
    ("GET", "/", 200), ("PUT", "/", 409), ("GET", "/f", 200), ("GET", "/nothing", 404),
])  # fmt: skip
def test_every_answer_has_the_secure_headers(ask, method, target, status):
    settings = {
        "secure_headers": {"content_security_policy": "default-src 'self'", "frame_options": None}
    }
    answered, headers = ask(method, target, settings)
    assert answered == status
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "x-frame-options" not in headers
    assert "strict-transport-security" not in headers


class Script(RequestHandler):
    def get(self):
        self.write(f'<script nonce="{self.csp_nonce}">1</script>')


def test_a_nonce_in_the_policy_is_new_for_each_answer_and_known_to_the_handler(run):
    policy = "script-src 'nonce-{nonce}'"

    async def main():
        app = Application(
            [("/", Script), ("/f", function)],
            access_log=False,
            secure_headers={"content_security_policy": policy},
        )
        async with TestClient(app) as client:
            return [await client.get(target) for target in ("/", "/", "/f")]

    first, second, plain = run(main)
    nonces = []
    for response in (first, second):
        nonce = response.body.decode().split('"')[1]
        assert response.headers["Content-Security-Policy"] == f"script-src 'nonce-{nonce}'"
        assert len(nonce) >= 22
        nonces.append(nonce)
    assert nonces[0] != nonces[1]
    assert "{nonce}" not in plain.headers["Content-Security-Policy"]


def test_without_a_policy_there_is_no_nonce(ask, run):
    async def main():
        async with TestClient(Application([("/", Script)], access_log=False)) as client:
            return await client.get("/")

    assert b'nonce="None"' in run(main).body


def test_static_files_say_that_they_vary_by_origin_and_by_coding(run, tmp_path):
    (tmp_path / "a.txt").write_text("a")

    async def main():
        app = Application(
            static_path=str(tmp_path), access_log=False, cors={"origins": ["https://app.example"]}
        )
        async with TestClient(app) as client:
            origin = {"Origin": "https://app.example"}
            allowed = await client.get("/static/a.txt", headers=origin)
            return allowed, await client.get("/static/a.txt")

    allowed, other = run(main)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Origin" not in other.headers
    for response in (allowed, other):
        assert sorted(response.headers.get_list("Vary")) == ["Accept-Encoding", "Origin"]


def test_static_files_of_two_applications_keep_their_own_headers(run, tmp_path):
    (tmp_path / "a.txt").write_text("a")

    async def main():
        answers = []
        for setting in (None, True):
            app = Application(static_path=str(tmp_path), access_log=False, secure_headers=setting)
            async with TestClient(app) as client:
                answers += [await client.get("/static/a.txt") for _ in range(2)]
        return ["X-Content-Type-Options" in answer.headers for answer in answers]

    assert run(main) == [False, False, True, True]


def test_hsts_is_for_tls_alone():
    class Tls:
        scheme = "https"

    app = Application(secure_headers=True)
    assert app.headers_for(Tls())["Strict-Transport-Security"].startswith("max-age=")


def test_mistakes_in_the_settings_raise_at_once():
    for setting in ({"odd": "x"}, {"frame_options": "a\r\nb"}, {"frame_options": 7}):
        with pytest.raises(ConfigurationError, match="secure_headers"):
            Application(secure_headers=setting)
    for setting in (
        {"origins": "*", "credentials": True},
        {"origins": ["app.example"]},
        {"origins": ["https://app.example/path"]},
        {"origin": "*"},
        {"methods": ["GET"]},
    ):
        with pytest.raises(ConfigurationError, match="cors"):
            Application(cors=setting)


CORS = {"cors": {"origins": ["https://app.example"], "credentials": True, "expose": ["X-Total"]}}


def test_only_origins_that_are_named_may_read(ask):
    status, headers = ask(settings=CORS, Origin="https://app.example")
    assert status == 200
    assert headers["access-control-allow-origin"] == "https://app.example"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-expose-headers"] == "X-Total"
    assert headers["vary"] == "Origin"
    for origin in ("https://evil.example", "null", "https://app.example.evil.example"):
        _, headers = ask(settings=CORS, Origin=origin)
        assert "access-control-allow-origin" not in headers
        assert headers["vary"] == "Origin"
    _, headers = ask(target="/f", settings={"cors": {"origins": "*"}}, Origin="https://x.example")
    assert headers["access-control-allow-origin"] == "*"
    assert "vary" not in headers


@pytest.mark.parametrize("target", ["/", "/f"])
def test_browsers_that_ask_first_get_an_answer(ask, target):
    asked = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "x-a"}
    status, headers = ask("OPTIONS", target, CORS, Origin="https://app.example", **asked)
    assert status == 204
    assert "PUT" in headers["access-control-allow-methods"]
    assert headers["access-control-allow-headers"] == "Content-Type"
    assert headers["access-control-max-age"] == "600"
    _, headers = ask("OPTIONS", target, CORS, Origin="https://evil.example", **asked)
    assert "access-control-allow-methods" not in headers
    any_header = {"cors": {"origins": "*", "headers": ["*"]}}
    _, headers = ask("OPTIONS", target, any_header, Origin="https://x.example", **asked)
    assert headers["access-control-allow-headers"] == "x-a"


def test_options_that_ask_for_nothing_are_served_as_ever(ask):
    status, headers = ask("OPTIONS", "/", CORS)
    assert (status, headers["allow"]) == (204, "GET, OPTIONS, PUT")


@pytest.mark.parametrize(("url", "safe"), [
    ("/inbox?page=2#x", True), ("/", True), ("https://h.example/x", True),
    ("//evil.example", False), ("/\\evil.example", False), ("\\\\evil.example", False),
    ("/\t/evil.example", False), ("https://evil.example/", False), ("javascript:alert(1)", False),
    ("https://h.example@evil.example/", False), ("https:evil.example", False), ("", False),
    ("inbox", False), (" /inbox", False), ("https://h.example\\@evil.example/", False),
    ("http://[", False), ("/" * 5000, False),
])  # fmt: skip
def test_redirects_stay_on_this_site(url, safe):
    assert is_safe_redirect(url, "h.example") is safe
