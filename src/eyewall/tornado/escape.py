"""Text transforms, under Tornado's names."""

from eyewall.base.escape import (
    json_decode,
    json_encode,
    linkify,
    native_str,
    parse_qs_bytes,
    recursive_unicode,
    squeeze,
    to_basestring,
    to_unicode,
    url_escape,
    url_unescape,
    utf8,
    xhtml_escape,
    xhtml_unescape,
)
from eyewall.base.escape import to_unicode as _unicode
from eyewall.base.escape import unquote_bytes as _unquote_to_bytes
from eyewall.base.objects import (
    basestring_type,
    unicode_type,
)

__all__ = [
    "_unicode",
    "_unquote_to_bytes",
    "basestring_type",
    "json_decode",
    "json_encode",
    "linkify",
    "native_str",
    "parse_qs_bytes",
    "recursive_unicode",
    "squeeze",
    "to_basestring",
    "to_unicode",
    "unicode_type",
    "url_escape",
    "url_unescape",
    "utf8",
    "xhtml_escape",
    "xhtml_unescape",
]
