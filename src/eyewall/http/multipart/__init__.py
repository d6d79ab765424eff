"""`multipart/form-data` (RFC 7578): forms with files."""

from eyewall.http.multipart.form import HTTPFile, parse_multipart
from eyewall.http.multipart.parser import (
    Data,
    MultipartError,
    MultipartLimits,
    MultipartParser,
    PartBegin,
    PartEnd,
)

__all__ = [
    "Data",
    "HTTPFile",
    "MultipartError",
    "MultipartLimits",
    "MultipartParser",
    "PartBegin",
    "PartEnd",
    "parse_multipart",
]
