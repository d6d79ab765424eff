"""Templates: text with Python in it, compiled."""

from eyewall.web.templates.errors import ParseError
from eyewall.web.templates.loader import BaseLoader, DictLoader, Loader, Template
from eyewall.web.templates.whitespace import filter_whitespace

__all__ = ["BaseLoader", "DictLoader", "Loader", "ParseError", "Template", "filter_whitespace"]
