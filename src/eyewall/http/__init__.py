"""HTTP: headers, cookies, requests, and the server."""

from eyewall.http.cookies import format_set_cookie, parse_cookie
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest

__all__ = ["Exchange", "HTTPHeaders", "HTTPServerRequest", "format_set_cookie", "parse_cookie"]
