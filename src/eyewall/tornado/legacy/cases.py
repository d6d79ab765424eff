"""Test cases whose servers take the options that Tornado's take."""

from eyewall import testing
from eyewall.tornado.legacy.server import HTTPServer


class AsyncHTTPTestCase(testing.AsyncHTTPTestCase):
    """As `eyewall.testing.AsyncHTTPTestCase`; `get_app` may return all that Tornado serves."""

    def get_http_server(self) -> HTTPServer:
        """The server for a test."""
        return HTTPServer(self._app, **self.get_httpserver_options())


class AsyncHTTPSTestCase(testing.AsyncHTTPSTestCase, AsyncHTTPTestCase):
    """The same over TLS."""
