"""Signed cookies and protection against forged requests, through the real engine."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web import Application, RequestHandler
from eyewall.web.xsrf import Token, decode_token, encode_token, new_token, same_token
from tests.conftest import Live


class Page(RequestHandler):
    def get(self):
        self.write(self.xsrf_token)

    def post(self):
        self.write("done")

    put = post


class Form(RequestHandler):
    def get(self):
        self.write(self.xsrf_form_html())


def make(**settings):
    return Application([(r"/", Page), (r"/form", Form)], access_log=False, **settings)


async def ask(live, method="GET", target="/", body=b"", **headers):
    peer = await live.connect()
    lines = [f"{method} {target} HTTP/1.1", "Host: h"]
    if method not in {"GET", "OPTIONS"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    peer.send("\r\n".join([*lines, "", ""]).encode() + body)
    answer = await peer.answer()
    await peer.close()
    return answer


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("version", [1, 2])
def test_a_request_with_the_token_passes_and_others_get_403(run, version, caplog):
    async def main():
        live = Live(make(xsrf_cookies=True, xsrf_cookie_version=version))
        _, headers, token = await ask(live)
        cookie = headers["set-cookie"].partition(";")[0]
        token = token.decode()
        form = f"_xsrf={token}".encode()
        other = encode_token(new_token(), version)
        statuses = [
            (await ask(live, "POST", body=form, content_type=FORM, cookie=cookie))[0],
            (await ask(live, "PUT", cookie=cookie, x_xsrftoken=token))[0],
            (await ask(live, "POST", body=b"{}", cookie=cookie, x_csrftoken=token))[0],
            (await ask(live, "POST", f"/?_xsrf={token}", cookie=cookie))[0],
            (await ask(live, "POST", cookie=cookie))[0],
            (await ask(live, "POST", x_xsrftoken=token))[0],
            (await ask(live, "POST", x_xsrftoken=other, cookie=cookie))[0],
            (await ask(live, "POST", x_xsrftoken="2|zz", cookie=cookie))[0],
            (await ask(live, "POST", x_xsrftoken="", cookie="_xsrf="))[0],
            (await ask(live, "OPTIONS"))[0],
        ]
        live.close()
        return statuses

    assert run(main) == [200, 200, 200, 200, 403, 403, 403, 403, 403, 204]
    assert not any(record.exc_info for record in caplog.records)


def test_without_the_setting_nothing_is_checked(run):
    async def main():
        live = Live(make())
        status, _, _ = await ask(live, "POST")
        live.close()
        return status

    assert run(main) == 200


def test_the_cookie_is_set_once_and_every_page_has_another_mask(run):
    async def main():
        live = Live(make(xsrf_cookies=True, xsrf_cookie_kwargs={"httponly": True}))
        _, first, token = await ask(live)
        cookie = first["set-cookie"].partition(";")[0]
        _, second, again = await ask(live, cookie=cookie)
        _, _, form = await ask(live, target="/form", cookie=cookie)
        live.close()
        return first, second, token.decode(), again.decode(), form.decode()

    first, second, token, again, form = run(main)
    assert "HttpOnly" in first["set-cookie"]
    assert "SameSite=Lax" in first["set-cookie"]
    assert "set-cookie" not in second
    assert token != again
    field = re.fullmatch(r'<input type="hidden" name="_xsrf" value="([0-9a-f|]+)"/>', form)
    assert decode_token(token).secret == decode_token(again).secret == decode_token(field[1]).secret


@given(st.binary(min_size=1, max_size=40), st.sampled_from([1, 2]))
def test_tokens_come_back(secret, version):
    token = decode_token(encode_token(Token(2, secret, 1e9), version))
    assert same_token(token, Token(1, secret, 0.0))


@given(st.text(max_size=600))
def test_what_is_no_token_is_never_an_error(text):
    token = decode_token(text)
    assert token is None or not same_token(token, new_token())


class Signed(RequestHandler):
    def get(self):
        value = self.get_signed_cookie("name")
        self.set_signed_cookie("name", "wärt", httponly=True)
        self.write(
            {
                "was": None if value is None else value.decode(),
                "key": self.get_signed_cookie_key_version("name"),
            }
        )


def test_signed_cookies_come_back_and_changed_ones_do_not(run):
    async def main():
        secret = {1: "one", 2: "two"}
        app = Application([("/", Signed)], cookie_secret=secret, key_version=2, access_log=False)
        live = Live(app)
        _, headers, first = await ask(live)
        cookie = headers["set-cookie"].partition(";")[0]
        _, _, second = await ask(live, cookie=cookie)
        _, _, third = await ask(live, cookie=cookie[:-1] + ("1" if cookie[-1] == "0" else "0"))
        live.close()
        return first, second, third

    first, second, third = run(main)
    assert first == b'{"was":null,"key":null}'
    assert second == '{"was":"wärt","key":2}'.encode()
    assert third.startswith(b'{"was":null')


def test_without_a_secret_it_says_what_is_missing(run, caplog):
    async def main():
        live = Live(Application([("/", Signed)], access_log=False))
        status, _, _ = await ask(live)
        live.close()
        return status

    assert run(main) == 500
    assert 'need the setting "cookie_secret"' in caplog.text
