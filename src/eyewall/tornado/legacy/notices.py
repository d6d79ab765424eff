"""What the engine reports, in the words that those who watch Tornado's logs look for."""

import logging
from typing import Final

from eyewall.base.log import gen_log
from eyewall.http.server.notices import NoticeLog

_WORDS: Final = {
    "the request line is malformed": "Malformed HTTP request line",
    "the request does not begin with a method": "Malformed HTTP request line",
    "Host is malformed": "Invalid Host header",
    "Host is empty": "Invalid Host header",
    "a chunk's size is malformed": "invalid chunk size",
    "Content-Length is malformed": "Only integer Content-Length is allowed",
    "a header field's name is malformed": "no colon in header line, or a malformed name",
    "the request's body is larger than allowed": "Content-Length too long",
}


class TornadoNoticeLog(NoticeLog):
    """As `NoticeLog`: requests that are refused are told of at the level INFO."""

    __slots__ = ()

    def __call__(self, kind: str, peer: str, text: str) -> None:
        """Log one event."""
        if kind == "tls":
            super().__call__(kind, "", f"SSL Error on {peer}: {text}")
        elif kind != "refused":
            super().__call__(kind, peer, text)
        elif text.startswith("WebSocket"):
            gen_log.debug("%s: %s", peer, text)
        elif "header section" in text:
            super().__call__("malformed", "", f"Unsatisfiable read, closing connection: {text}")
        elif gen_log.isEnabledFor(logging.INFO):
            reason, _, _ = text.partition(": answered")
            super().__call__(
                "malformed",
                "",
                f"Malformed HTTP message from {peer or 'a Unix socket'}: "
                f"{_WORDS.get(reason, reason)}",
            )
