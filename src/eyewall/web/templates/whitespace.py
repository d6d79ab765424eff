"""What becomes of white space in a template's text."""

import re
from typing import Final

_BLANKS: Final = re.compile(r"[\t ]+")
# Each run is matched from its first character, so a long one is looked at once.
_RUN: Final = re.compile(r"\s+")

MODES: Final = ("all", "single", "oneline")


def filter_whitespace(mode: str, text: str) -> str:
    """Text with its white space treated by one of three modes.

    Args:
        mode: "all" keeps everything; "single" makes one space of several, and one line end of
            several with what surrounds them; "oneline" makes one space of all.
        text: The text.

    Raises:
        ValueError: A mode that does not exist.
    """
    if mode == "all":
        return text
    if mode == "single":
        return _RUN.sub(lambda run: "\n" if "\n" in run[0] else _BLANKS.sub(" ", run[0]), text)
    if mode == "oneline":
        return _RUN.sub(" ", text)
    raise ValueError(f"there is no whitespace mode {mode!r}; there are {', '.join(MODES)}")
