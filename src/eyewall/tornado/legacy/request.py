"""`HTTPServerRequest` with the arguments that Tornado's has, for requests made by hand."""

from typing import Any

from eyewall.http.errors import HTTPInputError
from eyewall.http.forms import FormError
from eyewall.http.headers import HTTPHeaders
from eyewall.http.memory import MemoryExchange
from eyewall.http.request import HTTPServerRequest as _Request
from eyewall.http.start_lines import RequestStartLine


class _AnyRequest(type):
    """Requests that a server made are instances too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Request)


class HTTPServerRequest(_Request, metaclass=_AnyRequest):
    """A request made by hand; those of a server are made from exchanges.

    Args:
        method: The method.
        uri: The request's target.
        version: "HTTP/1.0" and the like.
        headers: Header fields.
        body: The body.
        host: The host, where no header says it.
        files: Uploaded files.
        connection: What answers are written to.
        start_line: Method, target and version, instead of the first three.
        server_connection: Kept as it is.

    Raises:
        TypeError: There is neither `uri` nor `start_line`.
        HTTPInputError: The query cannot be taken.
    """

    def __init__(
        self,
        method: str | None = None,
        uri: str | None = None,
        version: str = "HTTP/1.0",
        headers: HTTPHeaders | None = None,
        body: bytes | None = None,
        host: str | None = None,
        files: dict[str, Any] | None = None,
        connection: Any = None,
        start_line: RequestStartLine | None = None,
        server_connection: Any = None,
    ) -> None:
        if start_line is not None:
            method, uri, version = start_line
        if uri is None:
            raise TypeError("HTTPServerRequest needs a start_line, or a method and a uri")
        given = HTTPHeaders() if headers is None else headers
        exchange = MemoryExchange(
            method or "GET",
            uri,
            given.get_all(),
            body or b"",
            http_version=version,
            scheme=getattr(getattr(connection, "context", None), "protocol", "http"),
            host=host,
            remote_ip=getattr(getattr(connection, "context", None), "remote_ip", "") or "",
        )
        super().__init__(exchange, body or b"")
        self.headers = given
        self.server_connection = server_connection
        if connection is not None:
            self.connection = connection
        if files is not None:
            self.files = files
        try:
            self.query_arguments = self.query_arguments
        except FormError as exc:
            raise HTTPInputError(f"Max number of fields exceeded: {exc}") from exc
