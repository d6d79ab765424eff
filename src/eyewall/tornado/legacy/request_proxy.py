"""A request whose options are a client's where it leaves them open."""

from typing import Any

from eyewall.http.client import HTTPRequest


class RequestProxy:
    """Reads attributes of a request, or else of defaults.

    Args:
        request: The request.
        defaults: The client's options by name.
    """

    def __init__(self, request: HTTPRequest, defaults: dict[str, Any] | None) -> None:
        self.request = request
        self.defaults = defaults

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.request, name)
        if value is None and self.defaults is not None:
            return self.defaults.get(name)
        return value
