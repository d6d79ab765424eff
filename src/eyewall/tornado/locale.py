"""Texts in the user's language, under Tornado's names."""

from eyewall.tornado.legacy.locale_names import LOCALE_NAMES
from eyewall.web.locale import (
    CSVLocale,
    GettextLocale,
    Locale,
    get,
    get_supported_locales,
    load_gettext_translations,
    load_translations,
    set_default_locale,
)

__all__ = [
    "LOCALE_NAMES",
    "CSVLocale",
    "GettextLocale",
    "Locale",
    "get",
    "get_supported_locales",
    "load_gettext_translations",
    "load_translations",
    "set_default_locale",
]
