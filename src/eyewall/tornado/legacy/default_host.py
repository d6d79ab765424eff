"""A matcher for the routes of an application's default host."""

import re
from typing import Any

from eyewall.http.request import HTTPServerRequest
from eyewall.web.routing.rules import Matcher


class DefaultHostMatches(Matcher):
    """Every request that no proxy has named a host for, when the default host fits a pattern.

    Args:
        application: Whose `default_host` it is.
        host_pattern: What the name has to match.
    """

    def __init__(self, application: Any, host_pattern: re.Pattern[str]) -> None:
        self.application = application
        self.host_pattern = host_pattern

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Compare the application's default host."""
        if "X-Real-Ip" in request.headers or not self.application.default_host:
            return None
        return {} if self.host_pattern.match(self.application.default_host) else None
