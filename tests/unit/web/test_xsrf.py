"""XSRF tokens: what comes in any shape is a token or none, never an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web import Application, RequestHandler
from eyewall.web.xsrf import Token, decode_token, encode_token, new_token, same_token
from tests.conftest import Live

HOSTILE = [
    "2|00000000|00|²",  # a digit by str.isdigit that int refuses
    "2|00000000|00|" + "1" * 400,
    "2|00000000|00|-1",
    "2|00000000||1",
    "2|0000|00|1",
    "2|00000000|0|1",
    "2||||||||",
    "²|00000000|00|1",
    "1|00",
    "|" * 512,
    "\ud800",
    "2|\ud800|00|1",
    "é",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_tokens_match_nothing_and_raise_nothing(text):
    assert not same_token(decode_token(text), new_token())


@given(st.text(st.characters(categories=None), max_size=600))
def test_any_text_is_a_token_or_none(text):
    decode_token(text)


@given(st.lists(st.text("0123456789abcdef²٣-", max_size=20), min_size=2, max_size=5))
def test_any_parts_are_a_token_or_none(parts):
    decode_token("2|" + "|".join(parts))


@given(st.binary(min_size=16, max_size=16), st.integers(0, 31), st.integers(1, 15))
def test_a_changed_token_is_another(secret, at, change):
    token = Token(2, secret, 1e9)
    mask, masked, rest = encode_token(token).split("|", 3)[1:]
    digit = f"{int(masked[at], 16) ^ change:x}"
    changed = f"2|{mask}|{masked[:at]}{digit}{masked[at + 1 :]}|{rest}"
    assert same_token(decode_token(encode_token(token)), token)
    assert not same_token(decode_token(changed), token)


class Page(RequestHandler):
    def post(self):
        self.write("done")


def test_a_token_with_odd_digits_is_answered_403(run, caplog):
    """It was a 500 with a traceback: the time was taken for a number that int refuses."""

    async def main():
        live = Live(Application([("/", Page)], xsrf_cookies=True, access_log=False))
        peer = await live.connect()
        lines = ["POST / HTTP/1.1", "Host: h", "Content-Length: 0"]
        token = "2|00000000|00|²"
        peer.send(
            "\r\n".join([*lines, f"Cookie: _xsrf={token}", f"X-XSRFToken: {token}", "", ""]).encode(
                "latin-1"
            )
        )
        answer = await peer.answer()
        await peer.close()
        live.close()
        return answer[0]

    assert run(main) == 403
    assert not any(record.exc_info for record in caplog.records)
