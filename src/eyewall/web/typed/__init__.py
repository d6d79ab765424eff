"""Handlers whose annotations say what they take: decoded, checked, and documented."""

from eyewall.web.typed.parameters import Body, Form, Query
from eyewall.web.typed.validation import FieldError, ValidationError

__all__ = ["Body", "FieldError", "Form", "Query", "ValidationError"]
