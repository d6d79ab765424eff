"""Forms with files in handlers, through the real engine."""

import asyncio
import os

from eyewall.http.multipart import MultipartLimits
from eyewall.web import Application, RequestHandler
from eyewall.web.uploads import UploadMixin
from eyewall.web.xsrf import encode_token, new_token
from tests.conftest import Live
from tests.unit.http.test_multipart import FIELD, body_of
from tests.web.test_handlers import ask


class Upload(RequestHandler):
    def post(self):
        files = {
            name: [(f.filename, len(f.body)) for f in each]
            for name, each in self.request.files.items()
        }
        self.write(
            {"a": self.get_body_arguments("a"), "all": self.get_arguments("a"), "files": files}
        )


APP = Application([("/.*", Upload)], access_log=False)
KIND = "Content-Type: multipart/form-data; boundary={}\r\n"
FILE = b'Content-Disposition: form-data; name="f"; filename="x.bin"'


def test_fields_and_files_reach_the_handler(run):
    body = body_of((FIELD, "ü".encode()), (FILE, b"x" * 5000), boundary=b"q q")
    status, _, answer = ask(
        run, APP, "/?a=0", method="POST", headers=KIND.format('"q q"'), body=body
    )
    assert status == 200
    assert answer.decode() == '{"a":["ü"],"all":["0","ü"],"files":{"f":[["x.bin",5000]]}}'


def test_a_malformed_form_is_a_400_and_one_line_in_the_log(run, caplog):
    for headers, body in [
        (KIND.format("b"), b"junk"),
        (KIND.format("b"), body_of(*[(FIELD, b"")] * 2000)),
        ("Content-Type: multipart/form-data\r\n", b"--b--"),
    ]:
        caplog.clear()
        assert ask(run, APP, method="POST", headers=headers, body=body)[0] == 400
        assert len(caplog.records) == 1
        assert caplog.records[0].exc_info is None
        assert len(caplog.records[0].getMessage()) < 300


def test_other_kinds_of_bodies_have_no_fields(run):
    answer = ask(run, APP, method="POST", headers="Content-Type: text/plain\r\n", body=b"a=1")
    assert answer[2] == b'{"a":[],"all":[],"files":{}}'


class Receive(UploadMixin):
    upload_limits = MultipartLimits(file_bytes=3_000_000)
    upload_threshold = 1000
    seen = []  # noqa: RUF012 - shared by all requests of a test

    def on_upload_progress(self, received, total):
        self.seen.append((received, total))

    def post(self):
        (file,) = self.uploads["f"]
        self.write({
            "size": file.size, "same": file.read() == LARGE, "name": file.safe_name,
            "a": self.get_argument("a"), "body": self.get_body_argument("a"),
        })  # fmt: skip


LARGE = os.urandom(2_000_000)
RECEIVING = Application([("/.*", Receive)], access_log=False)


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_large_files_are_received_as_they_come(run, tmp_path):
    Receive.upload_folder = str(tmp_path)
    Receive.seen.clear()
    body = body_of((FIELD, b"1"), (FILE, LARGE))
    before = open_files()
    status, _, answer = ask(
        run, RECEIVING, "/?a=0", method="POST", headers=KIND.format("b"), body=body
    )
    assert status == 200
    assert answer == b'{"size":2000000,"same":true,"name":"x.bin","a":"1","body":"1"}'
    assert len(Receive.seen) > 1
    assert Receive.seen[-1] == (len(body), len(body))
    assert os.listdir(tmp_path) == []
    assert open_files() <= before


def test_what_is_over_a_limit_or_broken_leaves_nothing(run, tmp_path, caplog):
    Receive.upload_folder = str(tmp_path)
    too_large = body_of((FILE, os.urandom(3_000_001)))
    for body, expected in [
        (too_large, 413),
        (body_of((FILE, b"x" * 5000))[:-6], 400),
        (b"--b\r\nbad\r\n\r\n", 400),
    ]:
        caplog.clear()
        status, _, _ = ask(run, RECEIVING, method="POST", headers=KIND.format("b"), body=body)
        assert status == expected
        assert not any(record.exc_info for record in caplog.records)
        assert os.listdir(tmp_path) == []
    assert ask(run, RECEIVING, method="POST", body=b"x")[0] == 415


def test_a_client_that_leaves_leaves_nothing(run, tmp_path, caplog):
    Receive.upload_folder = str(tmp_path)

    async def main():
        came = asyncio.Event()
        gone = asyncio.Event()

        class Leaving(Receive):
            def on_upload_progress(self, received, total):
                came.set()

            def on_connection_close(self):
                super().on_connection_close()
                gone.set()

        live = Live(Application([("/", Leaving)], access_log=False))
        peer = await live.connect()
        head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n" + KIND.format("b")
        peer.send(head.encode() + b"\r\n" + body_of((FILE, b"x" * 5000))[:-10])
        await came.wait()
        await peer.close()
        await gone.wait()
        live.close()

    run(main)
    assert os.listdir(tmp_path) == []
    assert not any(record.exc_info for record in caplog.records)


def test_a_request_without_a_body_is_no_upload(run, caplog):
    assert ask(run, RECEIVING, method="POST")[0] == 400
    assert not any(record.exc_info for record in caplog.records)


class Plain(UploadMixin):
    def post(self):
        self.write(str(len(self.uploads)))


def test_the_token_of_a_streamed_form_may_be_in_the_form(run, caplog):
    app = Application([("/.*", Plain)], xsrf_cookies=True, access_log=False)
    token = encode_token(new_token(), 2)
    other = encode_token(new_token(), 2)
    field = b'Content-Disposition: form-data; name="_xsrf"'

    def send(cookie, parts, target="/", **headers):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = KIND.format("b") + f"Cookie: _xsrf={cookie}\r\n{lines}"
        body = body_of((FILE, b"x"), *parts)
        return ask(run, app, target, method="POST", headers=head, body=body)[0]

    assert send(token, [(field, token.encode())]) == 200
    assert send(token, [], **{"X-XSRFToken": token}) == 200
    assert send(token, [], f"/?_xsrf={token}") == 200
    assert send(token, []) == 403
    assert send(token, [(field, other.encode())]) == 403
    # A wrong one is refused before anything is received, whatever the form says.
    assert send(token, [(field, token.encode())], **{"X-XSRFToken": other}) == 403
    assert not any(record.exc_info for record in caplog.records)
