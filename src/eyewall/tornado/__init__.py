"""Eyewall under the names that programs written for Tornado import.

`from eyewall.tornado import web` gives typed modules like any other; `install` makes
`import tornado` itself give them. `docs/compatibility.md` says how to move a program over.
"""

import importlib
import importlib.util
from types import ModuleType
from typing import TYPE_CHECKING

from eyewall.tornado.names import HOMES, VERSION, VERSION_INFO

if TYPE_CHECKING:
    # Imported when they are used; type checkers may know them before.
    from eyewall.tornado import (
        auth,
        autoreload,
        concurrent,
        curl_httpclient,
        escape,
        gen,
        http1connection,
        httpclient,
        httpserver,
        httputil,
        ioloop,
        iostream,
        locale,
        locks,
        log,
        netutil,
        options,
        platform,
        process,
        queues,
        routing,
        simple_httpclient,
        tcpclient,
        tcpserver,
        template,
        testing,
        util,
        web,
        websocket,
        wsgi,
    )

__all__ = [
    "auth",
    "autoreload",
    "concurrent",
    "curl_httpclient",
    "escape",
    "gen",
    "http1connection",
    "httpclient",
    "httpserver",
    "httputil",
    "ioloop",
    "iostream",
    "locale",
    "locks",
    "log",
    "netutil",
    "options",
    "platform",
    "process",
    "queues",
    "routing",
    "simple_httpclient",
    "tcpclient",
    "tcpserver",
    "template",
    "testing",
    "util",
    "web",
    "websocket",
    "wsgi",
]

version = VERSION
version_info = VERSION_INFO


def __getattr__(name: str) -> ModuleType:
    """Import a submodule that is used by its name: `tornado.web` after `import tornado`."""
    if name in HOMES and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
