"""`OutputTransform`: a base for changes of answers on their way out."""

from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest


class OutputTransform:
    """Changes nothing; subclass it, and name the class in an application's `transforms`.

    Args:
        request: The request whose answer it is.
    """

    def __init__(self, request: HTTPServerRequest) -> None:
        self.request = request

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Change the status, the headers and the first piece of the body."""
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Change a further piece of the body; the last one when `finishing`."""
        return chunk
