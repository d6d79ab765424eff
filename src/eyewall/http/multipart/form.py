"""A whole multipart body as fields and files."""

from typing import Any

from eyewall.http.multipart.headers import PartHeaders, parse_parameters
from eyewall.http.multipart.parser import (
    Data,
    MultipartError,
    MultipartLimits,
    MultipartParser,
    PartBegin,
)


class HTTPFile(dict[str, Any]):
    """An uploaded file: `filename`, `body` and `content_type`, as keys and as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"an uploaded file has no {name!r}") from None


def boundary_of(content_type: str) -> str | None:
    """The boundary of a multipart content type; None where it is no form."""
    kind, parameters = parse_parameters(content_type)
    if kind != "multipart/form-data":
        return None
    if "boundary" not in parameters:
        raise MultipartError("the content type multipart/form-data has no boundary")
    return parameters["boundary"]


def parse_multipart(
    body: bytes, boundary: str | bytes, limits: MultipartLimits | None = None
) -> tuple[dict[str, list[bytes]], dict[str, list[HTTPFile]]]:
    """The fields and files of a body, each by name.

    Args:
        body: The whole body.
        boundary: The content type's boundary.
        limits: What the body may have.

    Raises:
        MultipartError: It is malformed or over a limit.
    """
    parser = MultipartParser(boundary, limits)
    events = parser.feed(body)
    parser.finish()
    fields: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    headers: PartHeaders | None = None
    pieces: list[bytes] = []
    for event in events:
        if isinstance(event, PartBegin):
            headers, pieces = event.headers, []
        elif isinstance(event, Data):
            pieces.append(event.data)
        elif headers is not None:
            content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if headers.filename is None:
                fields.setdefault(headers.name, []).append(content)
            elif headers.filename or content:
                file = HTTPFile(
                    filename=headers.filename, body=content, content_type=headers.content_type
                )
                files.setdefault(headers.name, []).append(file)
    return fields, files
