"""`TestClient`: asks an application through the real server, on a port of its own."""

import json as json_codec
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from typing import Any, Self
from urllib.parse import urlencode

from eyewall.http.client import AsyncHTTPClient, HTTPResponse
from eyewall.http.headers import HTTPHeaders
from eyewall.http.server.server import HTTPServer
from eyewall.testing.ports import bind_unused_port


class TestResponse:
    """A response: `status`, `headers`, `body`, and the cookies that it sets."""

    __test__ = False

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.code
        self.headers = response.headers
        self.body = response.body
        self.cookies: dict[str, str] = {}
        self.removed: set[str] = set()
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0" or "1970" in morsel["expires"] or not morsel.value:
                    self.removed.add(name)

    @property
    def text(self) -> str:
        """The content as UTF-8 text."""
        return self.body.decode()

    def json(self) -> Any:
        """The content as JSON.

        Raises:
            ValueError: It is none.
        """
        return json_codec.loads(self.body)


class TestClient:
    """Serves an application while its `async with` block runs, and asks it.

    Redirects are returned, not followed. `cookies` are sent with every request and kept up
    to date from the responses, whatever their paths.

    Args:
        app: An application, or any function that serves exchanges.
    """

    __test__ = False

    def __init__(self, app: Callable[[Any], object]) -> None:
        self._app = app
        self.cookies: dict[str, str] = {}
        self.base_url = ""

    async def __aenter__(self) -> Self:
        self._client = AsyncHTTPClient(force_instance=True)
        self._server = HTTPServer(self._app)
        sock, port = bind_unused_port()
        with sock:
            self._server.add_socket(sock)
        self.base_url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._client.close()
        self._server.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | str | Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Ask, and return what came, whatever its status.

        Args:
            method: The method.
            path: Path and query.
            headers: Fields to send.
            json: A value to send as JSON.
            data: Content to send; a mapping is sent as a form.
            cookies: Further cookies, for this request only.

        Raises:
            HTTPClientError: No response came.
        """
        fields = HTTPHeaders(headers or {})
        body: bytes | str | None
        if json is not None:
            body = json_codec.dumps(json)
            fields.setdefault("Content-Type", "application/json")
        else:
            body = urlencode(data) if isinstance(data, Mapping) else data
        sent = self.cookies | dict(cookies or {})
        if sent:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in sent.items())
        fetched = await self._client.fetch(
            self.base_url + path,
            raise_error=False,
            method=method,
            headers=fields,
            body=body,
            follow_redirects=False,
            allow_nonstandard_methods=True,
        )
        response = TestResponse(fetched)
        self.cookies |= response.cookies
        for name in response.removed:
            self.cookies.pop(name, None)
        return response

    async def get(self, path: str, **options: Any) -> TestResponse:
        """Ask with GET; see `request`."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> TestResponse:
        """Ask with POST; see `request`."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> TestResponse:
        """Ask with PUT; see `request`."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> TestResponse:
        """Ask with PATCH; see `request`."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> TestResponse:
        """Ask with DELETE; see `request`."""
        return await self.request("DELETE", path, **options)
