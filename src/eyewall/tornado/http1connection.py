"""HTTP/1.1 on a stream, under Tornado's names."""

from eyewall.tornado.legacy.http1 import MOST_INFORMATIONAL as _MAX_1XX_RESPONSES
from eyewall.tornado.legacy.http1 import HTTP1Connection, HTTP1ConnectionParameters

__all__ = ["_MAX_1XX_RESPONSES", "HTTP1Connection", "HTTP1ConnectionParameters"]
