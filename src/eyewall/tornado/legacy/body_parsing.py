"""Bodies of forms taken apart into dictionaries that are handed in."""

from dataclasses import dataclass, field
from typing import Final

from eyewall.http.errors import HTTPInputError
from eyewall.http.forms import FormError, parse_form
from eyewall.http.headers import HTTPHeaders
from eyewall.http.multipart import HTTPFile, MultipartLimits, parse_multipart
from eyewall.http.multipart.form import boundary_of

Fields = dict[str, list[bytes]]
Files = dict[str, list[HTTPFile]]


@dataclass
class ParseMultipartConfig:
    """Limits for forms with files.

    Attributes:
        enabled: Whether they are taken at all.
        max_parts: Most parts.
        max_part_header_size: Largest header of a part, in bytes.
    """

    enabled: bool = True
    max_parts: int = 100
    max_part_header_size: int = 10 * 1024


@dataclass
class ParseUrlEncodedConfig:
    """Limits for other forms, and for queries.

    Attributes:
        max_arguments: Most fields.
    """

    max_arguments: int = 1000


@dataclass
class ParseBodyConfig:
    """Limits for forms of both kinds.

    Attributes:
        multipart: Those with files.
        urlencoded: The others.
    """

    multipart: ParseMultipartConfig = field(default_factory=ParseMultipartConfig)
    urlencoded: ParseUrlEncodedConfig = field(default_factory=ParseUrlEncodedConfig)


DEFAULT: Final = ParseBodyConfig()
_current: Final = [DEFAULT]


def set_parse_body_config(config: ParseBodyConfig) -> None:
    """Use these limits in `parse_body_arguments` and `parse_multipart_form_data`."""
    _current[0] = config


def parse_body_arguments(
    content_type: str,
    body: bytes,
    arguments: Fields,
    files: Files,
    headers: HTTPHeaders | None = None,
    *,
    config: ParseBodyConfig | None = None,
) -> None:
    """Add a form's fields to `arguments` and its files to `files`; other bodies add nothing.

    Args:
        content_type: The body's type.
        body: The body.
        arguments: What fields are added to.
        files: What files are added to.
        headers: The message's header; a body with a Content-Encoding is refused.
        config: Limits; by default those of `set_parse_body_config`.

    Raises:
        HTTPInputError: The body is malformed or over a limit.
    """
    config = config or _current[0]
    kind = content_type.partition(";")[0].strip().lower()
    encoded = headers is not None and "Content-Encoding" in headers
    if kind not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return
    if encoded and headers is not None:
        raise HTTPInputError(f"Unsupported Content-Encoding: {headers['Content-Encoding']}")
    if kind == "multipart/form-data":
        boundary = boundary_of(content_type)
        if boundary is not None:
            parse_multipart_form_data(
                boundary.encode("latin-1", "replace"),
                body,
                arguments,
                files,
                config=config.multipart,
            )
        return
    try:
        fields = parse_form(body, max_fields=config.urlencoded.max_arguments)
    except FormError as exc:
        raise HTTPInputError(f"Max number of fields exceeded or malformed: {exc}") from exc
    for name, values in fields.items():
        arguments.setdefault(name, []).extend(values)


def parse_multipart_form_data(
    boundary: bytes,
    data: bytes,
    arguments: Fields,
    files: Files,
    *,
    config: ParseMultipartConfig | None = None,
) -> None:
    """Add what a multipart body holds; arguments and errors as for `parse_body_arguments`."""
    config = config or _current[0].multipart
    if not config.enabled:
        raise HTTPInputError("multipart/form-data parsing is disabled")
    if len(boundary) > 1 and boundary[:1] == boundary[-1:] == b'"':
        boundary = boundary[1:-1]
    limits = MultipartLimits(
        parts=config.max_parts,
        header_bytes=config.max_part_header_size,
        field_bytes=len(data),
    )
    fields, found = parse_multipart(data, boundary, limits)
    for name, values in fields.items():
        arguments.setdefault(name, []).extend(values)
    for name, more in found.items():
        files.setdefault(name, []).extend(more)
