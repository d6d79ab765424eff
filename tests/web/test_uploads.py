"""Forms with files in handlers, through the real engine."""

from eyewall.web import Application, RequestHandler
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
