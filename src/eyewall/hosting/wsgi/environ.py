"""A request as PEP 3333's `environ`."""

import sys
from typing import IO, Any, Final
from urllib.parse import unquote_to_bytes

from eyewall.http.exchange import Exchange

_UNPREFIXED: Final = frozenset({"content-type", "content-length"})


def make_environ(
    exchange: Exchange, body: IO[bytes], length: int | None, *, multiprocess: bool = False
) -> dict[str, Any]:
    """The variables of a request.

    Text is ISO-8859-1 for bytes, as PEP 3333 has it. Fields whose names contain an underscore
    are left out: they could pose as those with a hyphen.

    Args:
        exchange: The request.
        body: What becomes `wsgi.input`.
        length: Bytes of the body; None when nobody knows.
        multiprocess: Whether other processes serve the same program.
    """
    root = getattr(exchange, "root_path", "")
    host, port = _server(exchange)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": exchange.method,
        "SCRIPT_NAME": _decoded(root),
        "PATH_INFO": _decoded(exchange.path),
        "QUERY_STRING": exchange.query,
        "REQUEST_URI": exchange.target,
        "RAW_URI": exchange.target,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": exchange.http_version,
        "SERVER_SOFTWARE": "Eyewall",
        "REMOTE_ADDR": exchange.remote_ip,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": exchange.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if exchange.scheme == "https":
        environ["HTTPS"] = "on"
    for name, value in exchange.headers:
        lower = name.lower()
        if lower in _UNPREFIXED or "_" in lower or lower == "transfer-encoding":
            continue
        key = "HTTP_" + lower.replace("-", "_").upper()
        if key in environ:
            environ[key] += ("; " if lower == "cookie" else ",") + value
        else:
            environ[key] = value
    kind = exchange.header("Content-Type")
    if kind is not None:
        environ["CONTENT_TYPE"] = kind
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def _decoded(path: str) -> str:
    return unquote_to_bytes(path).decode("latin-1")


def _server(exchange: Exchange) -> tuple[str, str]:
    """Host and port that the request was for."""
    name = exchange.host
    # "[::1]:8888" has colons of its own.
    host, colon, port = name.rpartition(":")
    if not colon or not port.isdecimal() or host.endswith(":") or (":" in host and "]" not in host):
        host, port = name, ""
    default = "443" if exchange.scheme == "https" else "80"
    return host or "localhost", port or default


class FileWrapper:
    """`wsgi.file_wrapper`: a file as an iterable of blocks.

    Args:
        file: Anything with `read`.
        block_size: Bytes of a block.
    """

    def __init__(self, file: IO[bytes], block_size: int = 64 * 1024) -> None:
        self._file = file
        self._block_size = max(block_size, 64 * 1024)
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        block = self._file.read(self._block_size)
        if not block:
            raise StopIteration
        return block
