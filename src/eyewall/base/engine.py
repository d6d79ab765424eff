"""The engine's text functions, as `base` uses them."""

from eyewall._engine import escape_html

__all__ = ["escape_html"]
