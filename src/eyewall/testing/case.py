"""`AsyncHTTPTestCase`: unittest cases that ask an application of their own."""

import asyncio
import socket
import unittest
from collections.abc import Callable
from typing import Any

from eyewall.http.client import AsyncHTTPClient, HTTPResponse
from eyewall.http.server.server import HTTPServer


def bind_unused_port(
    reuse_port: bool = False, address: str = "127.0.0.1"
) -> tuple[socket.socket, int]:
    """A listening socket on a free port, and the port's number."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.create_server((address, 0), family=family, reuse_port=reuse_port)
    return sock, sock.getsockname()[1]


class AsyncHTTPTestCase(unittest.TestCase):
    """Serves what `get_app` returns while a test runs; ask it with `fetch`."""

    def get_app(self) -> Callable[[Any], object]:
        """The application; override this."""
        raise NotImplementedError

    def get_httpserver_options(self) -> dict[str, Any]:
        """Options of the `HTTPServer`; override it to give some."""
        return {}

    def setUp(self) -> None:  # noqa: D102 - unittest's
        super().setUp()
        self._runner = asyncio.Runner()
        self.addCleanup(self._runner.close)
        self._runner.run(self._serve())

    async def _serve(self) -> None:
        self.http_client = AsyncHTTPClient(force_instance=True)
        self.http_server = HTTPServer(self.get_app(), **self.get_httpserver_options())
        sock, self._port = bind_unused_port()
        with sock:
            self.http_server.add_socket(sock)

    def tearDown(self) -> None:  # noqa: D102 - unittest's
        self._runner.run(self._close())
        super().tearDown()

    async def _close(self) -> None:
        self.http_client.close()
        self.http_server.close()

    def get_http_port(self) -> int:
        """The server's port."""
        return self._port

    def get_url(self, path: str) -> str:
        """The URL of a path on the server."""
        return f"http://127.0.0.1:{self._port}{path}"

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> HTTPResponse:
        """Fetch a path, or a whole URL, and wait; options are those of `HTTPRequest`."""
        url = path if path.startswith(("http://", "https://")) else self.get_url(path)
        return self._runner.run(self.http_client.fetch(url, raise_error, **kwargs))
