"""`AsyncHTTPClient`: the interface of the HTTP clients."""

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Self

from eyewall.base.configurable import Configurable
from eyewall.base.objects import import_object
from eyewall.http.client.request import HTTPRequest
from eyewall.http.headers import check_value

if TYPE_CHECKING:
    from eyewall.http.client.response import HTTPResponse


class AsyncHTTPClient(Configurable):
    """Fetches URLs; one instance is shared by all that ask in one event loop.

    Which implementation it is, and with which options, is a matter of `configure`.

    Args:
        force_instance: Make a client of its own.
        defaults: Values of `HTTPRequest` fields that a request leaves at None.
        options: The implementation's.
    """

    defaults: dict[str, Any]
    _closed = False
    _loop: asyncio.AbstractEventLoop | None = None
    _shared: ClassVar["weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[type, Any]]"] = (
        weakref.WeakKeyDictionary()
    )

    def __new__(
        cls, force_instance: bool = False, defaults: dict[str, Any] | None = None, **options: Any
    ) -> Self:
        """The running loop's client, or with `force_instance` a new one."""
        if force_instance:
            return super().__new__(cls, defaults=defaults, **options)
        shared = cls._shared.setdefault(current_loop(), {})
        kind = cls.configured_class() if cls is cls.configurable_base() else cls
        client = shared.get(kind)
        if client is None:
            cls._prune()
            client = shared[kind] = super().__new__(cls, defaults=defaults, **options)
        found: Self = client
        return found

    @classmethod
    def _prune(cls) -> None:
        """Forget the clients of loops that are closed, which hold these loops."""
        for loop in [loop for loop in cls._shared if loop.is_closed()]:
            del cls._shared[loop]

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """This interface."""
        return AsyncHTTPClient

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """The engine's client."""
        # By name, because it derives from this.
        found: type[Configurable] = import_object(
            "eyewall.http.client.simple.SimpleAsyncHTTPClient"
        )
        return found

    def initialize(self, *, defaults: dict[str, Any] | None = None, **options: Any) -> None:
        """Take the options; an implementation overrides this and calls it."""
        if options:
            raise TypeError(f"{type(self).__qualname__} has no option {', '.join(options)}")
        unknown = set(defaults or ()) - vars(HTTPRequest("")).keys()
        if unknown:
            raise ValueError(f"HTTPRequest has no {', '.join(sorted(unknown))}")
        self.defaults = {**HTTPRequest.DEFAULTS, **(defaults or {})}
        check_value(self.defaults["user_agent"])

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of its first fetch: a client may be made before there is one."""
        if self._loop is None:
            self._loop = current_loop()
        return self._loop

    def close(self) -> None:
        """Close connections; fetch no more."""
        self._closed = True
        for shared in list(self._shared.values()):
            for kind, client in list(shared.items()):
                if client is self:
                    del shared[kind]

    def fetch(
        self, request: HTTPRequest | str, raise_error: bool = True, **kwargs: Any
    ) -> "asyncio.Future[HTTPResponse]":
        """Fetch a URL. The fetch begins at once; wait for the future that comes back.

        Args:
            request: A request, or a URL with the request's options as further arguments.
            raise_error: Raise for a status that is no success, rather than return it.
            kwargs: Options of `HTTPRequest`.

        Raises:
            HTTPClientError: From the future: the status is no success, or no response came; the
                type says why.
            ValueError: The request cannot be sent.
            RuntimeError: The client is closed.
        """
        if self._closed:
            raise RuntimeError("the client is closed")
        if not isinstance(request, HTTPRequest):
            request = HTTPRequest(request, **kwargs)
        elif kwargs:
            raise ValueError("options go into the HTTPRequest when there is one")
        request.check(self.defaults)
        return self.begin(request, raise_error)

    def begin(self, request: HTTPRequest, raise_error: bool) -> "asyncio.Future[HTTPResponse]":
        """Start a fetch whose request was checked; an implementation overrides this."""
        raise NotImplementedError(f"{type(self).__qualname__} must override begin")


def current_loop() -> asyncio.AbstractEventLoop:
    """The running loop, or the thread's that is to run later."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.get_event_loop_policy().get_event_loop()
