"""The engine's parsers, as `http` uses them."""

from eyewall._engine import find_cookie, find_field, parse_cookie, parse_form

__all__ = ["find_cookie", "find_field", "parse_cookie", "parse_form"]
