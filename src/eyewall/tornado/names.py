"""Tornado's module names, and where each has its home here."""

from typing import Final

VERSION: Final = "6.5.2"
"""The level of Tornado's interface that these modules have."""

VERSION_INFO: Final = (6, 5, 2, 0)
"""The same, to compare with."""

HOMES: Final[dict[str, str]] = {
    "auth": "eyewall.web.auth",
    "autoreload": "eyewall.ops.autoreload",
    "concurrent": "eyewall.aio",
    "curl_httpclient": "eyewall.http.client.curl",
    "escape": "eyewall.base.escape",
    "gen": "eyewall.aio",
    "http1connection": "eyewall.tornado.legacy.http1",
    "httpclient": "eyewall.http.client",
    "httpserver": "eyewall.http.server",
    "httputil": "eyewall.http",
    "ioloop": "eyewall.loop",
    "iostream": "eyewall.net",
    "locale": "eyewall.web.locale",
    "locks": "eyewall.aio",
    "log": "eyewall.base.log",
    "netutil": "eyewall.net",
    "options": "eyewall.base.options",
    "platform": "eyewall.tornado.platform",
    "platform.asyncio": "eyewall.loop",
    "platform.caresresolver": "eyewall.net.cares_resolver",
    "platform.twisted": "eyewall.aio",
    "process": "eyewall.net",
    "queues": "eyewall.aio",
    "routing": "eyewall.web.routing",
    "simple_httpclient": "eyewall.http.client",
    "stack_context": "eyewall.tornado.stack_context",
    "tcpclient": "eyewall.net",
    "tcpserver": "eyewall.net",
    "template": "eyewall.web.templates",
    "testing": "eyewall.testing",
    "util": "eyewall.base",
    "web": "eyewall.web",
    "websocket": "eyewall.realtime.websocket",
    "wsgi": "eyewall.hosting.wsgi",
}
"""Each public module of Tornado, and the package that does its work."""
