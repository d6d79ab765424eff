"""What a handler reads of its request: arguments and cookies."""

import re
from typing import TYPE_CHECKING, Any, Final, cast

from eyewall.base.lazy import lazy
from eyewall.http.cookies import CookieValue, find_cookie
from eyewall.http.exchange import Exchange
from eyewall.http.forms import FormError, find_field
from eyewall.http.request import HTTPServerRequest
from eyewall.web.errors import HTTPError, MissingArgumentError

if TYPE_CHECKING:
    from eyewall.web.application import Application

_REQUIRED: Final[Any] = object()
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f]")


class RequestInput:
    """Arguments and cookies. The request object is made when it is first looked at."""

    application: "Application"
    exchange: Exchange
    path_args: tuple[str, ...] = ()
    path_kwargs: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed
    _request_body: bytes = b""
    # Whether arguments are decoded as the engine decodes them.
    _plain_arguments: bool = True
    # Whether `request` was made: what it holds can have been changed since.
    _has_request: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._plain_arguments = cls.decode_argument is RequestInput.decode_argument

    @lazy
    def request(self) -> HTTPServerRequest:
        """The request."""
        self._has_request = True
        return HTTPServerRequest(self.exchange, self._request_body)

    def _receive(self, body: bytes) -> None:
        """Note the body, also for those who have looked at the request before it came."""
        self._request_body = body
        if self._has_request:
            self.request.body = body

    def get_argument(
        self,
        name: str,
        default: Any = _REQUIRED,
        strip: bool = True,
    ) -> Any:
        """The last value of an argument of the query or the form.

        Args:
            name: The argument's name.
            default: What is returned where there is none.
            strip: Whether white space around it is removed.

        Raises:
            MissingArgumentError: There is none, and no default; answered 400.
        """
        if self._has_request or self._request_body or not self._plain_arguments:
            return self._last(self._fields("arguments"), name, default, strip)
        # Nothing but the query, and nobody has changed what it says.
        try:
            value = find_field(self.exchange.query, name, strip=strip)
        except FormError as exc:
            raise HTTPError(400, str(exc)) from exc
        if value is None:
            if default is _REQUIRED:
                raise MissingArgumentError(name)
            return default
        return value

    def get_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument of the query and the form."""
        return self._decode_all(self._fields("arguments"), name, strip)

    def get_query_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """As `get_argument`, of the query alone."""
        return self._last(self._fields("query_arguments"), name, default, strip)

    def get_query_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument of the query."""
        return self._decode_all(self._fields("query_arguments"), name, strip)

    def get_body_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """As `get_argument`, of the form alone."""
        return self._last(self._fields("body_arguments"), name, default, strip)

    def get_body_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument of the form."""
        return self._decode_all(self._fields("body_arguments"), name, strip)

    def _fields(self, which: str) -> dict[str, list[bytes]]:
        try:
            return cast("dict[str, list[bytes]]", getattr(self.request, which))
        except FormError as exc:
            raise HTTPError(400, str(exc)) from exc

    def _decode_all(
        self,
        fields: dict[str, list[bytes]],
        name: str,
        strip: bool,
    ) -> list[str]:
        values: list[str] = []
        for raw in fields.get(name, ()):
            value = self.decode_argument(raw, name)
            if isinstance(value, str) and not value.isprintable():
                value = _CONTROL.sub(" ", value)
            values.append(value.strip() if strip else value)
        return values

    def _last(self, fields: dict[str, list[bytes]], name: str, default: Any, strip: bool) -> Any:
        values = fields.get(name)
        if not values:
            if default is _REQUIRED:
                raise MissingArgumentError(name)
            return default
        value = self.decode_argument(values[-1], name)
        # A program's own `decode_argument` may leave bytes.
        if isinstance(value, str) and not value.isprintable():
            value = _CONTROL.sub(" ", value)
        return value.strip() if strip else value

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """An argument's bytes as text; override it for other encodings.

        Args:
            value: The bytes, percent-decoded.
            name: The argument's name, where it has one.

        Raises:
            HTTPError: 400 when they are no UTF-8.
        """
        try:
            return value.decode()
        except UnicodeDecodeError as exc:
            raise HTTPError(400, "Invalid unicode in %s: %r", name or "url", value[:40]) from exc

    @property
    def cookies(self) -> dict[str, CookieValue]:
        """The cookies that the client sent."""
        return self.request.cookies

    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """The value of a cookie."""
        if self._has_request:
            known = self.request.cookies.get(name)
            return default if known is None else known.value
        field = self.exchange.header("cookie")
        value = None if field is None else find_cookie(field, name)
        return default if value is None else value
