"""Twisted's web server: `twisted_peer.py PORT`."""

import json
import sys
from typing import Any

from answers import HELLO, LARGE, MESSAGE, page_of
from twisted.internet import reactor
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site


class Hello(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return HELLO.encode()


class Json(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        request.setHeader(b"content-type", b"application/json")
        return json.dumps(MESSAGE).encode()


class Users(Resource):
    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: N802 - Twisted's name
        user = Resource()
        user.putChild(b"items", Items(int(path)))
        return user


class Items(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, user: int) -> None:
        super().__init__()
        self.user = user

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        session = request.getCookie(b"session") or b""
        request.addCookie(b"session", session, path=b"/", httpOnly=True)
        request.setHeader(b"content-type", b"application/json")
        arguments: Any = request.args
        page, q = int(arguments[b"page"][0]), arguments[b"q"][0].decode()
        return json.dumps(page_of(self.user, page, q, session.decode())).encode()


class Echo(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def render_POST(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        content: Any = request.content
        return bytes(content.read())


class Large(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        return LARGE


class QuietSite(Site):
    def log(self, request: Request) -> None:
        """Keep no access log."""


def main(port: int) -> None:
    root = Resource()
    root.putChild(b"", Hello())
    root.putChild(b"json", Json())
    root.putChild(b"users", Users())
    root.putChild(b"echo", Echo())
    root.putChild(b"large", Large())
    running: Any = reactor
    running.listenTCP(port, QuietSite(root), interface="127.0.0.1", backlog=1024)
    running.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
