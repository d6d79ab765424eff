"""The names that every template has."""

import datetime
from typing import Any, Final

from eyewall.base import escape
from eyewall.web.engine import escape_value, text_of

BUILT_INS: Final[dict[str, Any]] = {
    "escape": escape.xhtml_escape,
    "xhtml_escape": escape.xhtml_escape,
    "url_escape": escape.url_escape,
    "json_encode": escape.json_encode,
    "squeeze": escape.squeeze,
    "linkify": escape.linkify,
    "datetime": datetime,
    "_tt_escape": escape_value,
    "_tt_text": text_of,
    "_tt_utf8": escape.utf8,
    "_tt_string_types": (str, bytes),
}
