"""Small things, under Tornado's names."""

from builtins import (
    TimeoutError,
)

from eyewall.base.arguments import (
    ArgReplacer,
)
from eyewall.base.configurable import (
    Configurable,
)
from eyewall.base.gunzip import (
    GzipDecompressor,
)
from eyewall.base.objects import (
    ObjectDict,
    basestring_type,
    bytes_type,
    errno_from_exception,
    exec_in,
    import_object,
    is_finalizing,
    raise_exc_info,
    re_unescape,
    timedelta_to_seconds,
    unicode_type,
)
from eyewall.tornado.legacy.deflate import masked as _websocket_mask_python

__all__ = [
    "ArgReplacer",
    "Configurable",
    "GzipDecompressor",
    "ObjectDict",
    "TimeoutError",
    "_websocket_mask_python",
    "basestring_type",
    "bytes_type",
    "errno_from_exception",
    "exec_in",
    "import_object",
    "is_finalizing",
    "raise_exc_info",
    "re_unescape",
    "timedelta_to_seconds",
    "unicode_type",
]
