"""The web framework, under Tornado's names."""

from typing import Final

from eyewall.base.signing import (
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from eyewall.tornado.legacy.absolute import is_absolute
from eyewall.tornado.legacy.application import Application
from eyewall.tornado.legacy.handler import RequestHandler
from eyewall.tornado.legacy.signing import create_signature_v1 as _create_signature_v1
from eyewall.tornado.legacy.signing import create_signature_v2 as _create_signature_v2
from eyewall.tornado.legacy.static import StaticFileHandler
from eyewall.tornado.legacy.stock import ErrorHandler, FallbackHandler, RedirectHandler
from eyewall.web.compression import GZipContentEncoding
from eyewall.web.errors import Finish, HTTPError, MissingArgumentError
from eyewall.web.handler.decorators import (
    addslash,
    asynchronous,
    authenticated,
    removeslash,
    stream_request_body,
)
from eyewall.web.output_transform import OutputTransform
from eyewall.web.routing.rules import URLSpec, url
from eyewall.web.ui_modules import TemplateModule, UIModule

MIN_SUPPORTED_SIGNED_VALUE_VERSION: Final = 1
MAX_SUPPORTED_SIGNED_VALUE_VERSION: Final = 2
DEFAULT_SIGNED_VALUE_VERSION: Final = 2
DEFAULT_SIGNED_VALUE_MIN_VERSION: Final = 1

__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "Application",
    "ErrorHandler",
    "FallbackHandler",
    "Finish",
    "GZipContentEncoding",
    "HTTPError",
    "MissingArgumentError",
    "OutputTransform",
    "RedirectHandler",
    "RequestHandler",
    "StaticFileHandler",
    "TemplateModule",
    "UIModule",
    "URLSpec",
    "_create_signature_v1",
    "_create_signature_v2",
    "addslash",
    "asynchronous",
    "authenticated",
    "create_signed_value",
    "decode_signed_value",
    "get_signature_key_version",
    "is_absolute",
    "removeslash",
    "stream_request_body",
    "url",
]
