"""Texts, dates and numbers in the user's language."""

from eyewall.web.locale.catalogues import (
    load_gettext_translations,
    load_translations,
    set_default_locale,
)
from eyewall.web.locale.locale import CSVLocale, GettextLocale, Locale, get, get_supported_locales
from eyewall.web.locale.negotiation import parse_accept_language

__all__ = [
    "CSVLocale",
    "GettextLocale",
    "Locale",
    "get",
    "get_supported_locales",
    "load_gettext_translations",
    "load_translations",
    "parse_accept_language",
    "set_default_locale",
]
