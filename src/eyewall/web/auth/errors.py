"""`AuthError`: a login that is refused."""

from eyewall.web.errors import HTTPError


class AuthError(HTTPError):
    """A login is refused; uncaught it is answered with `status_code` and one line in the log.

    Args:
        message: Why, for the log; it holds no secret.
        status_code: 403 when the browser's part is wrong, 502 when the provider's is.
    """

    def __init__(self, message: str, status_code: int = 403) -> None:
        super().__init__(status_code, message)
        self.message = message
