"""Bodies that a test client sends: forms, and forms with files (RFC 7578)."""

import secrets
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import urlencode

File: TypeAlias = bytes | str | tuple[str, bytes | str] | tuple[str, bytes | str, str]


def encode_form(fields: Mapping[str, str], files: Mapping[str, File] | None) -> tuple[bytes, str]:
    """A form's content and its media type.

    Args:
        fields: Names and values.
        files: By name: content alone, or (file name, content), or with the media type third.
    """
    if not files:
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    boundary = secrets.token_hex(16)
    parts = [
        _part(boundary, f'name="{_quoted(name)}"', None, value.encode())
        for name, value in fields.items()
    ]
    for name, file in files.items():
        filename, content, *rest = file if isinstance(file, tuple) else (name, file)
        kind = rest[0] if rest else "application/octet-stream"
        disposition = f'name="{_quoted(name)}"; filename="{_quoted(filename)}"'
        data = content.encode() if isinstance(content, str) else content
        parts.append(_part(boundary, disposition, kind, data))
    body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, disposition: str, kind: str | None, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n"
    if kind is not None:
        head += f"Content-Type: {kind}\r\n"
    return head.encode() + b"\r\n" + content + b"\r\n"


def _quoted(name: str) -> str:
    """As browsers write names in quotes."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
