"""Decorators for verbs and handler classes."""

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from eyewall.loop.callback_errors import on_callback_error
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.handler.lifecycle import handle_exception
from eyewall.web.safe_redirect import is_safe_redirect

Method = Callable[..., Any]
H = TypeVar("H", bound=type[RequestHandler])

_READS: Final = frozenset({"GET", "HEAD"})


def authenticated(method: Method) -> Method:
    """Serve only requests whose `current_user` is known.

    Others are redirected to the setting `login_url` with the place to come back to in `next`,
    or get 403 when they are not GET or HEAD: what they have sent would be lost on the way.
    A login page must check `next` with `eyewall.web.safe_redirect.is_safe_redirect`.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if self.current_user:
            return method(self, *args, **kwargs)
        if self.exchange.method not in _READS:
            raise HTTPError(403, "nobody is logged in")
        url = self.get_login_url()
        if "?" not in url:
            # A request for "//host/x" must not make the login page lead to that host.
            uri = self.request.uri
            back = uri if is_safe_redirect(uri) else "/"
            if urlsplit(url).scheme:
                # A login page of another site needs the whole address.
                back = f"{self.request.protocol}://{self.request.host}{back}"
            url += "?" + urlencode({"next": back})
        self.redirect(url)
        return None

    return wrapper


def addslash(method: Method) -> Method:
    """Redirect GET and HEAD of a path without a slash at its end to the one with it.

    The route's pattern should have "/?" at its end.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        path = self.exchange.path
        if path.endswith("/"):
            return method(self, *args, **kwargs)
        _redirect_or_404(self, f"{path}/")
        return None

    return wrapper


def removeslash(method: Method) -> Method:
    """Redirect GET and HEAD of a path with slashes at its end to the one without.

    The route's pattern should have "/*" at its end.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        path = self.exchange.path
        bare = path.rstrip("/")
        if not bare or bare == path:
            return method(self, *args, **kwargs)
        _redirect_or_404(self, bare)
        return None

    return wrapper


def _redirect_or_404(handler: RequestHandler, path: str) -> None:
    if handler.exchange.method not in _READS:
        raise HTTPError(404)
    # Two slashes in front would name another host.
    path = "/" + path.lstrip("/")
    query = handler.exchange.query
    handler.redirect(f"{path}?{query}" if query else path, permanent=True)


def stream_request_body(cls: H) -> H:
    """Give the body to the handler as it arrives.

    `prepare` is called when the head has come, `data_received` with each piece (when it is
    async, the client waits for it), then the verb. Arguments come from the query alone.

    Example:
        >>> @stream_request_body
        ... class Upload(RequestHandler):
        ...     def prepare(self):
        ...         self.size = 0
        ...     def data_received(self, chunk):
        ...         self.size += len(chunk)
        ...     def put(self):
        ...         self.write({"size": self.size})

    Raises:
        TypeError: It is no handler class.
    """
    if not (isinstance(cls, type) and issubclass(cls, RequestHandler)):
        raise TypeError(f"@stream_request_body is for RequestHandler subclasses, not {cls!r}")
    cls._stream_request_body = True
    return cls


def asynchronous(method: Method) -> Method:
    """Leave the request open when the verb returns; the handler calls `finish` later.

    This is how callbacks were used before coroutines. New code says `async def` instead. An error
    of a `gen.engine` or of an `IOLoop` callback that it starts is answered as the verb's own.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        self._auto_finish = False
        token = on_callback_error.set(functools.partial(handle_exception, self))
        try:
            return method(self, *args, **kwargs)
        finally:
            on_callback_error.reset(token)

    return wrapper
