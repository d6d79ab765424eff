"""`Locale`: a language, and what is said in it."""

import datetime
import gettext
from collections.abc import Iterable, Sequence
from typing import Any, Final

from eyewall.web.locale.catalogues import TRANSLATIONS
from eyewall.web.locale.format import (
    babel_module,
    format_date,
    format_day,
    friendly_number,
    join_list,
)

_RIGHT_TO_LEFT: Final = ("fa", "ar", "he", "ur", "yi")
# Gettext's files have no place for a context, so it stands before the text, as gettext has it.
_CONTEXT: Final = "\x04"
_NAMES: Final = {
    "ar": "العربية", "cs": "Čeština", "da": "Dansk", "de": "Deutsch", "el": "Ελληνικά",
    "en": "English", "en_GB": "English (UK)", "en_US": "English (US)", "es": "Español",
    "fa": "فارسی", "fi": "Suomi", "fr": "Français", "he": "עברית", "hi": "हिन्दी",
    "hu": "Magyar", "id": "Bahasa Indonesia", "it": "Italiano", "ja": "日本語", "ko": "한국어",
    "nb": "Norsk", "nl": "Nederlands", "pl": "Polski", "pt": "Português",
    "pt_BR": "Português (Brasil)", "ro": "Română", "ru": "Русский", "sk": "Slovenčina",
    "sv": "Svenska", "th": "ไทย", "tr": "Türkçe", "uk": "Українська", "vi": "Tiếng Việt",
    "zh_CN": "中文(简体)", "zh_TW": "中文(繁體)",
}  # fmt: skip


def get(*locale_codes: str) -> "Locale":
    """The locale that fits one of these codes best; the default where none does."""
    return Locale.get_closest(*locale_codes)


def get_supported_locales() -> Iterable[str]:
    """The codes of all languages that there are translations for."""
    return TRANSLATIONS.supported()


class Locale:
    """A language.

    Args:
        code: Its code, such as "de_DE".

    Attributes:
        code: The code.
        name: The language's own name for itself.
        rtl: Whether it is written from right to left.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.name = _name_of(code)
        self.rtl = code.split("_", maxsplit=1)[0] in _RIGHT_TO_LEFT

    @classmethod
    def get_closest(cls, *locale_codes: str) -> "Locale":
        """The locale of the first code that there is, or whose language there is."""
        supported = TRANSLATIONS.supported()
        for code in locale_codes:
            parts = code.replace("-", "_").split("_")
            if not code or len(parts) > 2:
                continue
            language = parts[0].lower()
            wanted = f"{language}_{parts[1].upper()}" if len(parts) == 2 else language
            for each in (wanted, language):
                if each in supported:
                    return cls.get(each)
        return cls.get(TRANSLATIONS.default)

    @classmethod
    def get(cls, code: str) -> "Locale":
        """The locale of a code.

        Raises:
            ValueError: There are no translations for it.
        """
        if code not in TRANSLATIONS.supported():
            raise ValueError(f"there are no translations for {code!r}")
        catalogue = TRANSLATIONS.gettext.get(code)
        if catalogue is not None:
            return GettextLocale(code, catalogue)
        return CSVLocale(code, TRANSLATIONS.csv.get(code, {}))

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """The translation of a text, or the text itself.

        Args:
            message: The text.
            plural_message: The text for another number than one.
            count: The number; needed with `plural_message`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define translate()")

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """The translation of a text that means something else elsewhere.

        Args:
            context: What tells it from the same text elsewhere.
            message: The text.
            plural_message: The text for another number than one.
            count: The number.
        """
        raise NotImplementedError(f"{type(self).__name__} must define pgettext()")

    def format_date(
        self,
        date: float | datetime.datetime,
        gmt_offset: int = 0,
        relative: bool = True,
        shorter: bool = False,
        full_format: bool = False,
    ) -> str:
        """A time as people say it, for example "5 minutes ago" or "July 10, 2026 at 9:00 am".

        Args:
            date: Seconds since the epoch, or a datetime; without a zone it is UTC.
            gmt_offset: Minutes by which the reader's clock is behind UTC.
            relative: Whether times of the last day are told from now.
            shorter: Whether the hour is left out of older dates.
            full_format: Whether the whole date is wanted in any case.
        """
        return format_date(
            self, date, gmt_offset, relative=relative, shorter=shorter, full_format=full_format
        )

    def format_day(self, date: datetime.datetime, gmt_offset: int = 0, dow: bool = True) -> str:
        """A date as a day: "Monday, January 22", or without the day of the week."""
        return format_day(self, date, gmt_offset, dow=dow)

    def list(self, parts: Sequence[str]) -> str:
        """Parts as a list: "A, B and C"."""
        return join_list(parts, self)

    def friendly_number(self, value: int) -> str:
        """A number with marks between its digits, as the language has them."""
        return friendly_number(value, self.code)

    def format_currency(self, value: Any, currency: str) -> str:
        """An amount of money, by Babel.

        Raises:
            RuntimeError: Babel is not installed.
        """
        numbers = babel_module("numbers")
        if numbers is None:
            raise RuntimeError("amounts of money need Babel: pip install 'eyewall[locale]'")
        return str(numbers.format_currency(value, currency, locale=self.code))


class CSVLocale(Locale):
    """A language whose translations come from a CSV file."""

    def __init__(self, code: str, translations: dict[str, dict[str, str]]) -> None:
        super().__init__(code)
        self.translations = translations

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """The translation of a text, or the text itself; see `Locale.translate`."""
        form = "unknown"
        if plural_message is not None:
            if count is None:
                raise TypeError("translate() with a plural needs the number, count=")
            form = "singular" if count == 1 else "plural"
            if count != 1:
                message = plural_message
        return self.translations.get(form, {}).get(message, message)

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """As `translate`: CSV files have no contexts."""
        return self.translate(message, plural_message, count)


class GettextLocale(Locale):
    """A language whose translations come from gettext."""

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        super().__init__(code)
        self.ngettext = translations.ngettext
        self.gettext = translations.gettext

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """The translation of a text, or the text itself; see `Locale.translate`."""
        if plural_message is None:
            return self.gettext(message)
        if count is None:
            raise TypeError("translate() with a plural needs the number, count=")
        return self.ngettext(message, plural_message, count)

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """The translation of a text in a context; see `Locale.pgettext`."""
        if plural_message is None:
            found = self.gettext(f"{context}{_CONTEXT}{message}")
            return message if _CONTEXT in found else found
        if count is None:
            raise TypeError("pgettext() with a plural needs the number, count=")
        found = self.ngettext(
            f"{context}{_CONTEXT}{message}", f"{context}{_CONTEXT}{plural_message}", count
        )
        if _CONTEXT in found:
            return self.ngettext(message, plural_message, count)
        return found


def _name_of(code: str) -> str:
    known = _NAMES.get(code) or _NAMES.get(code.split("_", maxsplit=1)[0])
    if known is not None:
        return known
    core = babel_module("core")
    if core is not None:
        try:
            return str(core.Locale.parse(code).get_display_name() or code)
        except (ValueError, core.UnknownLocaleError):
            return code
    return "Unknown"
