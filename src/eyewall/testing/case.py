"""`AsyncHTTPTestCase`: unittest cases that ask an application of their own."""

from collections.abc import Callable
from typing import Any

from eyewall.http.client import AsyncHTTPClient, HTTPResponse
from eyewall.http.server.server import HTTPServer
from eyewall.testing.async_case import AsyncTestCase
from eyewall.testing.certificates import certificate_files
from eyewall.testing.gen_test import get_async_test_timeout
from eyewall.testing.ports import bind_unused_port


class AsyncHTTPTestCase(AsyncTestCase):
    """Serves what `get_app` returns while a test runs; ask it with `fetch`.

    Tests that run in the loop themselves (`gen_test`) await `self.http_client.fetch` with
    `self.get_url`.
    """

    http_client: AsyncHTTPClient
    http_server: HTTPServer

    def setUp(self) -> None:  # noqa: D102 - unittest's
        super().setUp()
        sock, self._port = bind_unused_port()
        with sock:
            self.http_client = self.get_http_client()
            self._app = self.get_app()
            self.http_server = self.get_http_server()
            self.http_server.add_sockets([sock])

    def tearDown(self) -> None:  # noqa: D102 - unittest's
        self.http_server.stop()
        self.io_loop.run_sync(
            self.http_server.close_all_connections, timeout=get_async_test_timeout()
        )
        self.http_client.close()
        # unittest keeps every case to the end of the run, but need not keep what they held.
        del self.http_server, self._app
        super().tearDown()

    def get_app(self) -> Callable[[Any], object]:
        """The application; override this."""
        raise NotImplementedError(f"{type(self).__qualname__} must override get_app")

    def get_http_client(self) -> AsyncHTTPClient:
        """The client for a test; override it to give it options."""
        return AsyncHTTPClient(force_instance=True)

    def get_http_server(self) -> HTTPServer:
        """The server for a test."""
        return HTTPServer(self._app, **self.get_httpserver_options())

    def get_httpserver_options(self) -> dict[str, Any]:
        """Options of the `HTTPServer`; override it to give some."""
        return {}

    def get_http_port(self) -> int:
        """The server's port."""
        return self._port

    def get_protocol(self) -> str:
        """The scheme of URLs on the server."""
        return "http"

    def get_url(self, path: str) -> str:
        """The URL of a path on the server."""
        return f"{self.get_protocol()}://127.0.0.1:{self._port}{path}"

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> HTTPResponse:
        """Fetch a path, or a whole URL, and wait; options are those of `HTTPRequest`.

        Raises:
            HTTPClientError: The status is no success, with `raise_error`.
            TimeoutError: It took longer than `get_async_test_timeout`.
        """
        url = path if path.startswith(("http://", "https://")) else self.get_url(path)
        return self.io_loop.run_sync(
            lambda: self.http_client.fetch(url, raise_error, **kwargs),
            timeout=get_async_test_timeout(),
        )


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """The same over TLS, with a certificate that is made for the run; needs `trustme`."""

    def get_httpserver_options(self) -> dict[str, Any]:
        """Options of the `HTTPServer`: `get_ssl_options` as its `ssl_options`."""
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any]:
        """The server's `ssl_options`; override it for another certificate."""
        return self.default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """A certificate for 127.0.0.1, ::1 and localhost, and its key.

        Raises:
            RuntimeError: trustme is not installed.
        """
        files = certificate_files()
        return {"certfile": files.chain, "keyfile": files.key}

    def get_protocol(self) -> str:
        """The scheme of URLs on the server."""
        return "https"

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> HTTPResponse:
        """As `AsyncHTTPTestCase.fetch`; the server's certificate is not checked by default."""
        kwargs.setdefault("validate_cert", False)
        return super().fetch(path, raise_error, **kwargs)
