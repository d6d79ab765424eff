"""`WSGIContainer` that serves one request after the other unless it is given an executor."""

from concurrent.futures import Executor
from typing import Any

from eyewall.hosting.wsgi.mount import WSGIApplication
from eyewall.hosting.wsgi.mount import WSGIContainer as _WSGIContainer


class WSGIContainer:
    """Serves a WSGI program that need not be safe with threads.

    It runs in one thread; `eyewall.hosting.wsgi`'s container runs it in several.

    Args:
        wsgi_application: The program.
        executor: Where it runs; None for one thread of its own.
    """

    serves_exchanges = True

    def __init__(self, wsgi_application: WSGIApplication, executor: Executor | None = None) -> None:
        self.wsgi_application = wsgi_application
        self._inner = _WSGIContainer(wsgi_application, executor, threads=1)

    def __call__(self, exchange: Any) -> None:
        """Serve a request."""
        self._inner(exchange)
