"""Headers, requests and what they are made of, under Tornado's names."""

from http.client import responses

from eyewall.http.dates import format_date as format_timestamp
from eyewall.http.delegates import (
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
)
from eyewall.http.errors import HTTPInputError, HTTPOutputError
from eyewall.http.headers import HTTPHeaders
from eyewall.http.multipart import HTTPFile
from eyewall.http.multipart.headers import parse_parameters as _parse_header
from eyewall.http.start_lines import (
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
)
from eyewall.http.urls import qs_to_qsl, split_host_and_port, url_concat
from eyewall.tornado.legacy.body_parsing import DEFAULT as _DEFAULT_PARSE_BODY_CONFIG
from eyewall.tornado.legacy.body_parsing import (
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    parse_body_arguments,
    parse_multipart_form_data,
    set_parse_body_config,
)
from eyewall.tornado.legacy.cookies import parse_cookie
from eyewall.tornado.legacy.cookies import unquote_cookie as _unquote_cookie
from eyewall.tornado.legacy.grammar import ABNF as _ABNF
from eyewall.tornado.legacy.request import HTTPServerRequest


def encode_username_password(username: str | bytes, password: str | bytes) -> bytes:
    """Name and password as basic authentication encodes them (RFC 7617)."""
    parts = [part.encode() if isinstance(part, str) else part for part in (username, password)]
    return b":".join(parts)


__all__ = [
    "_ABNF",
    "_DEFAULT_PARSE_BODY_CONFIG",
    "HTTPConnection",
    "HTTPFile",
    "HTTPHeaders",
    "HTTPInputError",
    "HTTPMessageDelegate",
    "HTTPOutputError",
    "HTTPServerConnectionDelegate",
    "HTTPServerRequest",
    "ParseBodyConfig",
    "ParseMultipartConfig",
    "ParseUrlEncodedConfig",
    "RequestStartLine",
    "ResponseStartLine",
    "_parse_header",
    "_unquote_cookie",
    "encode_username_password",
    "format_timestamp",
    "parse_body_arguments",
    "parse_cookie",
    "parse_multipart_form_data",
    "parse_request_start_line",
    "parse_response_start_line",
    "qs_to_qsl",
    "responses",
    "set_parse_body_config",
    "split_host_and_port",
    "url_concat",
]
