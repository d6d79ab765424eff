"""The HTTP client with the defaults and the log lines that old programs know."""

from typing import Any, Final

from eyewall.base.log import gen_log
from eyewall.http.client import HTTPProtocolError, HTTPTLSError
from eyewall.http.client import SimpleAsyncHTTPClient as Client
from eyewall.tornado.names import VERSION

_WORDS: Final = {
    "announced content is larger": "Content-Length too long",
    "content is larger": "Body too long",
    "decompressed body too large": "decompressed body too large",
    "two different lengths": "Multiple unequal Content-Lengths",
    "interim responses without end": "Too many 1xx responses",
    "body ends too early": "invalid gzip data",
    "behind the end of the body": "invalid gzip data",
    "not in its coding": "invalid gzip data",
    "length and a transfer coding": "both Transfer-Encoding and Content-Length",
}


class SimpleAsyncHTTPClient(Client):
    """HTTP/1.1 only, under Tornado's name; what is malformed is logged, as well as raised."""

    def initialize(self, **options: Any) -> None:
        """Take the options of the client, and set these defaults."""
        options.setdefault("http2", False)
        super().initialize(**options)
        if "user_agent" not in (options.get("defaults") or {}):
            self.defaults["user_agent"] = f"Tornado/{VERSION}"

    def failed(self, error: BaseException) -> None:
        """Log in the words that those who watch logs look for."""
        if isinstance(error, HTTPTLSError):
            gen_log.warning("SSL Error: %s", error)
        elif isinstance(error, HTTPProtocolError):
            text = str(error)
            words = next((words for part, words in _WORDS.items() if part in text), text)
            # Clients have no context to name in this place, and programs compare the line.
            gen_log.info("Malformed HTTP message from None: %s", words)
