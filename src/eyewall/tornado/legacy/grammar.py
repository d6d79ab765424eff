"""The grammar of messages as regular expressions (RFC 9110 and 9112)."""

import re
from typing import ClassVar


class ABNF:
    """Patterns for whole strings, by the names that the grammar has."""

    token: ClassVar[re.Pattern[str]] = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
    field_name: ClassVar[re.Pattern[str]] = token
    field_value: ClassVar[re.Pattern[str]] = re.compile(
        r"|[\x21-\x7e\x80-\xff](?:[ \t\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?"
    )
    request_target: ClassVar[re.Pattern[str]] = re.compile(r"[\x21-\x7e\x80-\xff]+")
    reason_phrase: ClassVar[re.Pattern[str]] = re.compile(r"[\t \x21-\x7e\x80-\xff]+")
