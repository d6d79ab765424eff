"""What handlers raise to end a request.

HTTPError                  an answer with that status
    MissingArgumentError   400 for an argument that is not there
Finish                     end the request without an error
"""

from http import HTTPStatus
from typing import Any


def reason_phrase(status: int) -> str:
    """The standard phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class HTTPError(Exception):
    """Ends the request with an error's answer.

    Args:
        status_code: The status.
        log_message: For the log, not for the client; "%s" in it takes `args`.
        args: Values for `log_message`.
        reason: Phrase for the status line; the standard one by default.

    Example:
        >>> raise HTTPError(404, "no user %d", 7)
        Traceback (most recent call last):
        ...
        eyewall.web.errors.HTTPError: HTTP 404: Not Found (no user 7)
    """

    def __init__(
        self,
        status_code: int = 500,
        log_message: str | None = None,
        *args: Any,
        reason: str | None = None,
    ) -> None:
        super().__init__()
        self.status_code = status_code
        # Without values nothing is formatted, so a "%" in the text is only itself.
        self.log_message = (
            log_message.replace("%", "%%") if log_message and not args else log_message
        )
        self.args = args
        self.reason = reason

    def __str__(self) -> str:
        text = f"HTTP {self.status_code}: {self.reason or reason_phrase(self.status_code)}"
        if self.log_message:
            return f"{text} ({self.log_message % self.args})"
        return text


class MissingArgumentError(HTTPError):
    """The request has no argument of that name; answered 400."""

    def __init__(self, arg_name: str) -> None:
        super().__init__(400, f"Missing argument {arg_name}")
        self.arg_name = arg_name


class Finish(Exception):  # noqa: N818 - the name that programs know
    """Ends the request with what was written so far; an argument is the last chunk."""
