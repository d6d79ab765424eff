"""Connection delegates and message delegates, as servers' targets and behind routes."""

import asyncio

import pytest

from eyewall.http.delegates import HTTPMessageDelegate, HTTPServerConnectionDelegate
from eyewall.http.headers import HTTPHeaders
from eyewall.http.start_lines import ResponseStartLine
from eyewall.web import Application, RequestHandler
from eyewall.web.routing.router import Router
from tests.conftest import Live

OK = ResponseStartLine("HTTP/1.1", 200, "Fine")


class Message(HTTPMessageDelegate):
    """Answers with what it was told."""

    def __init__(self, connection, told):
        self.connection, self.told = connection, told

    def headers_received(self, start_line, headers):
        self.told.append((start_line.method, start_line.path, headers["Host"]))
        if "/wait" in start_line.path:
            return asyncio.sleep(0)
        return None

    def data_received(self, chunk):
        if chunk == b"fail":
            raise ZeroDivisionError
        self.told.append(chunk)

    def finish(self):
        self.told.append("finish")
        body = b"told"
        headers = HTTPHeaders({"Content-Length": str(len(body))})
        self.connection.write_headers(OK, headers, body[:1])
        self.connection.write(body[1:])
        self.connection.finish()


class Connection(HTTPServerConnectionDelegate):
    def __init__(self):
        self.told = []

    def start_request(self, server_conn, request_conn):
        return Message(request_conn, self.told)


def ask(run, app, method="GET", target="/", body=b""):
    async def main():
        live = Live(app)
        peer = await live.connect()
        head = f"{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
        peer.send(head.encode() + body)
        answer = await peer.answer()
        await peer.close()
        live.close()
        return answer

    return run(main)


@pytest.mark.parametrize("target", ["/", "/wait"])
def test_a_delegate_is_told_of_each_part_in_order(run, target):
    delegate = Connection()
    status, _, body = ask(run, delegate, "POST", target, b"data")
    assert (status, body) == (200, b"told")
    assert delegate.told == [("POST", target, "h"), b"data", "finish"]


def test_a_delegate_that_raises_is_logged_and_answered(run, caplog):
    status, _, _ = ask(run, Connection(), "POST", "/", b"fail")
    assert status == 500
    assert [record.getMessage() for record in caplog.records] == ["Uncaught exception POST /"]


def test_delegates_stand_behind_routes_and_routers(run):
    class Own(Router):
        def find_handler(self, request, **kwargs):
            return Message(request.connection, []) if request.path != "/own/no" else None

    class Page(RequestHandler):
        def get(self):
            self.write("page")

    app = Application(
        [("/delegate", Connection()), (r"/own/.*", Own()), (r"/own/no", Page)], access_log=False
    )
    assert ask(run, app, target="/delegate")[2] == b"told"
    assert ask(run, app, target="/own/a")[2] == b"told"
    assert ask(run, app, target="/own/no")[2] == b"page"


def test_an_answer_begins_with_a_status_line(run, caplog):
    class Wrong(HTTPServerConnectionDelegate):
        def start_request(self, server_conn, request_conn):
            class Message(HTTPMessageDelegate):
                def finish(self):
                    request_conn.write_headers(("GET", "/", "HTTP/1.1"), HTTPHeaders())

            return Message()

    assert ask(run, Wrong())[0] == 500
    assert "begins with a ResponseStartLine" in caplog.text
