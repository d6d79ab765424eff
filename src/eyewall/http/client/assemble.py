"""Requests of a session put together from what the caller gives."""

import re
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import msgspec

from eyewall.http.client.request import HTTPRequest, copied
from eyewall.http.client.upload import File, MultipartForm
from eyewall.http.client.url import parse_url
from eyewall.http.headers import HTTPHeaders

Content: TypeAlias = bytes | str | AsyncIterable[bytes]
"""Content as it is sent; an iterable is sent in chunks as it comes."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SECRETS: Final = ("Authorization", "Cookie")


class Parts(msgspec.Struct, kw_only=True, frozen=True):
    """What a request may be made of beside method and URL.

    Args:
        params: More of the query.
        headers: Fields, besides the session's.
        content: Content as it is.
        json: A value to send as JSON.
        form: Fields to send as a form.
        files: Files to send with the form; see `upload.File`.
    """

    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    content: Any = None
    json: Any = None
    form: Mapping[str, str] | None = None
    files: Mapping[str, Any] | None = None


def absolute(base_url: str, url: str, params: Mapping[str, Any] | None) -> str:
    """A URL under the base, where it is not absolute, with more of a query.

    Example:
        >>> absolute("https://api.example/v1", "/users", {"page": 2})
        'https://api.example/v1/users?page=2'
    """
    if base_url and _SCHEME.match(url) is None:
        url = f"{base_url.rstrip('/')}/{url.lstrip('/')}" if url else base_url
    if params:
        before, mark, fragment = url.partition("#")
        joint = "&" if "?" in before else "?"
        url = f"{before}{joint}{urlencode(params, doseq=True)}{mark}{fragment}"
    return url


def assemble(
    method: str,
    url: str,
    parts: Parts,
    defaults: HTTPHeaders,
    base_url: str,
    options: Mapping[str, Any],
) -> HTTPRequest:
    """A session's request.

    Default fields that are secret go only to the origin of the base URL, where there is one.

    Raises:
        ValueError: The parts contradict each other, or cannot be sent.
    """
    headers = defaults.copy()
    if base_url and parse_url(url).origin != parse_url(base_url).origin:
        for name in _SECRETS:
            headers.pop(name, None)
    for name, value in copied(parts.headers).items():
        headers[name] = value
    given = [name for name in ("content", "json", "form") if getattr(parts, name) is not None]
    if len(given) > 1 or (parts.files is not None and given not in ([], ["form"])):
        raise ValueError("a request has one content: content, json, or form and files")
    body, producer = _content(parts, headers)
    return HTTPRequest(
        url,
        method,
        headers,
        body,
        body_producer=producer,
        allow_nonstandard_methods=True,
        **options,
    )


_Producer: TypeAlias = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]]


def _content(parts: Parts, headers: HTTPHeaders) -> tuple[bytes | None, _Producer | None]:
    if parts.json is not None:
        headers.setdefault("Content-Type", "application/json")
        return msgspec.json.encode(parts.json), None
    if parts.files is not None:
        form = MultipartForm(parts.form or {}, parts.files)
        headers["Content-Type"] = form.content_type
        headers["Content-Length"] = str(form.length)
        return None, form.produce
    if parts.form is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return urlencode(parts.form, doseq=True).encode(), None
    return (None, None) if parts.content is None else _plain(parts.content, headers)


def _plain(content: Content, headers: HTTPHeaders) -> tuple[bytes | None, _Producer | None]:
    if isinstance(content, str):
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return content.encode(), None
    if not isinstance(content, AsyncIterable):
        headers.setdefault("Content-Type", "application/octet-stream")
        return bytes(content), None
    pieces = content

    async def produce(write: Callable[[bytes], Awaitable[None]]) -> None:
        async for piece in pieces:
            await write(piece)

    return None, produce


__all__ = ["Content", "File", "Parts", "absolute", "assemble"]
