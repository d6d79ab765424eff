"""The header of one part: its name, its file's name, its type (RFC 7578, section 4.2)."""

import re
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import unquote_to_bytes

_PARAMETER: Final = re.compile(
    r'[ \t]*;[ \t]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]*))'
)
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED: Final = re.compile(r'\\(["\\])')
_TRANSFER: Final = frozenset({"7bit", "8bit", "binary", ""})


@final
@dataclass(frozen=True, slots=True)
class PartHeaders:
    """What a part's header says.

    Attributes:
        name: The field's name.
        filename: The file's name as the client gave it, which may be anything; None for a
            field that is no file.
        content_type: The part's type; text for fields where it says none.
        headers: All lines, names in lower case.
    """

    name: str
    filename: str | None
    content_type: str
    headers: dict[str, str]

    @property
    def safe_name(self) -> str:
        """The last part of the file's name, without what no file's name should have."""
        base = re.split(r"[/\\]", self.filename or "")[-1]
        clean = "".join(char for char in base if char.isprintable() and char not in '<>:"|?*')
        return clean.strip(" .")[:255] or "unnamed"


def parse_part_headers(raw: bytes) -> PartHeaders:
    """Parse a part's header, without the empty line behind it.

    Raises:
        ValueError: It is malformed, or names no field.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines: dict[str, str] = {}
    for line in text.split("\r\n") if text else ():
        name, colon, value = line.partition(":")
        if not colon or _TOKEN.match(name) is None:
            raise ValueError("a part's header has a malformed line")
        if _CONTROL.search(value) is not None:
            raise ValueError(f"Invalid header value in a part's {name[:40]}")
        lines.setdefault(name.lower(), value.strip(" \t"))
    kind, parameters = parse_parameters(lines.get("content-disposition", ""))
    if kind != "form-data" or "name" not in parameters:
        raise ValueError("a part has no Content-Disposition with form-data and a name")
    if lines.get("content-transfer-encoding", "").lower() not in _TRANSFER:
        raise ValueError("a part has a Content-Transfer-Encoding, which forms do not have")
    filename = _extended(parameters.get("filename*")) or parameters.get("filename")
    implied = "text/plain" if filename is None else "application/octet-stream"
    return PartHeaders(
        parameters["name"], filename, lines.get("content-type", "") or implied, lines
    )


def parse_parameters(field: str) -> tuple[str, dict[str, str]]:
    """A field's value and its parameters, names in lower case: `form-data; name="a"`."""
    value, _, _ = field.partition(";")
    parameters: dict[str, str] = {}
    at = len(value)
    while (match := _PARAMETER.match(field, at)) is not None:
        name, quoted, plain = match[1].lower(), match[2], match[3]
        # Browsers escape a quote as %22 and leave a backslash alone; others escape both.
        text = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        parameters.setdefault(name, text)
        at = match.end()
    return value.strip().lower(), parameters


def _extended(value: str | None) -> str | None:
    """The text of a parameter such as `UTF-8''na%C3%AFve.txt` (RFC 8187)."""
    if value is None:
        return None
    charset, _, rest = value.partition("'")
    _, quote, text = rest.partition("'")
    if not quote or charset.lower() not in {"utf-8", "iso-8859-1"}:
        return None
    try:
        return unquote_to_bytes(text).decode(charset)
    except UnicodeDecodeError:
        return None
