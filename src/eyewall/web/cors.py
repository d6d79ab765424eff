"""Requests from pages of other sites (the Fetch standard's CORS protocol), as one setting."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from eyewall.base.errors import ConfigurationError
from eyewall.http.exchange import Exchange

_OPTIONS: Final = frozenset({"origins", "methods", "headers", "expose", "credentials", "max_age"})
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@final
class Cors:
    """Who may read answers from other sites, and send what.

    Args:
        origins: Origins such as "https://app.example"; "*" for every one.
        methods: Methods that may be used.
        headers: Request headers that may be sent; "*" for those that are asked for.
        expose: Response headers that scripts may read.
        credentials: Whether cookies are sent along.
        max_age: Seconds that a browser may remember the permission.

    Raises:
        ConfigurationError: Credentials for every origin, or an origin that is none.
    """

    def __init__(
        self,
        *,
        origins: Iterable[str],
        methods: Iterable[str] = _METHODS,
        headers: Iterable[str] = ("Content-Type",),
        expose: Iterable[str] = (),
        credentials: bool = False,
        max_age: int = 600,
    ) -> None:
        self._origins = frozenset([origins] if isinstance(origins, str) else origins)
        self._any = "*" in self._origins
        if self._any and credentials:
            raise ConfigurationError(
                "cors: every origin with credentials would let every site act for your users; "
                "name the origins"
            )
        for origin in self._origins - {"*"}:
            if "://" not in origin or origin.count("/") != 2:
                raise ConfigurationError(
                    f'cors: {origin!r} is no origin; one is "https://app.example", without a path'
                )
        self._methods = ", ".join(methods)
        allowed = tuple(headers)
        self._headers = None if "*" in allowed else ", ".join(allowed)
        self._expose = ", ".join(expose)
        self._credentials = credentials
        self._max_age = str(max_age)

    @classmethod
    def from_setting(cls, setting: Mapping[str, Any] | None) -> "Cors | None":
        """What the setting `cors` asks for; None when it is off.

        Raises:
            ConfigurationError: There is no such option, or as for the class.
        """
        if not setting:
            return None
        if not isinstance(setting, Mapping) or set(setting) - _OPTIONS or "origins" not in setting:
            raise ConfigurationError(
                f"cors: a dict with origins, and maybe {', '.join(sorted(_OPTIONS - {'origins'}))}"
            )
        return cls(**setting)

    def answer_headers(self, exchange: Exchange) -> dict[str, str]:
        """What an answer says about who may read it."""
        # Without the origin in it, a cache would give one site's permission to another.
        headers = {} if self._any else {"Vary": "Origin"}
        origin = exchange.header("Origin")
        if origin is None or not (self._any or origin in self._origins):
            return headers
        headers["Access-Control-Allow-Origin"] = "*" if self._any else origin
        if self._credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        if self._expose:
            headers["Access-Control-Expose-Headers"] = self._expose
        return headers

    def preflight(self, exchange: Exchange) -> bool:
        """Answer a browser that asks before it sends; False for what is no such question."""
        if (
            exchange.method != "OPTIONS"
            or exchange.header("Origin") is None
            or exchange.header("Access-Control-Request-Method") is None
        ):
            return False
        headers = self.answer_headers(exchange)
        if "Access-Control-Allow-Origin" in headers:
            asked = exchange.header("Access-Control-Request-Headers") or ""
            headers["Access-Control-Allow-Methods"] = self._methods
            headers["Access-Control-Allow-Headers"] = (
                asked if self._headers is None else self._headers
            )
            headers["Access-Control-Max-Age"] = self._max_age
        exchange.respond(204, headers, b"")
        return True
