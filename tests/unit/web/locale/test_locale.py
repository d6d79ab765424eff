"""Translations, negotiation, dates, numbers and lists."""

import datetime
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web import locale
from eyewall.web.locale.catalogues import TRANSLATIONS
from eyewall.web.locale.format import format_date
from tests.support import require


@pytest.fixture(autouse=True)
def clean():
    before = (TRANSLATIONS.default, TRANSLATIONS.csv, TRANSLATIONS.gettext)
    yield
    TRANSLATIONS.default, TRANSLATIONS.csv, TRANSLATIONS.gettext = before


@pytest.fixture
def spanish(tmp_path):
    (tmp_path / "es.csv").write_text(
        '"school","escuela"\n"%(n)d cat","%(n)d gato",singular\n"%(n)d cats","%(n)d gatos","plural"\n'
        '"%(commas)s and %(last)s","%(commas)s y %(last)s"\n"Monday","lunes"\n\nlonely\n"x","y",odd\n',
        encoding="utf-8",
    )
    (tmp_path / "pt_BR.csv").write_text("school,escola\n", encoding="utf-16")
    (tmp_path / "de.csv").write_bytes(b"\xef\xbb\xbfschool,Schule\n")
    (tmp_path / "not a code.csv").write_text("a,b\n")
    (tmp_path / "readme.txt").write_text("no catalogue")
    locale.load_translations(tmp_path)
    return locale.get("es")


def test_csv_catalogues_are_read_and_bad_lines_reported(spanish, caplog):
    assert spanish.translate("school") == "escuela"
    assert locale.get("pt-br").translate("school") == "escola"
    assert locale.get("de_AT").translate("school") == "Schule"
    assert spanish.translate("unknown text") == "unknown text"
    assert spanish.translate("%(n)d cat", "%(n)d cats", 1) == "%(n)d gato"
    assert spanish.translate("%(n)d cat", "%(n)d cats", 2) == "%(n)d gatos"
    assert spanish.pgettext("context", "school") == "escuela"
    with pytest.raises(TypeError, match="needs the number"):
        spanish.translate("a", "b")
    text = "\n".join(record.getMessage() for record in caplog.get_records("setup"))
    assert "es.csv:7: a text without its translation" in text
    assert "es.csv:8: unrecognized plural indicator 'odd'" in text
    assert "Unrecognized locale 'not a code'" in text
    assert set(locale.get_supported_locales()) == {"es", "pt_BR", "de", "en_US"}


def test_the_closest_language_is_found(spanish):
    assert locale.get("xx", "es_LA").code == "es"
    assert locale.get("EN-us").code == "en_US"
    assert locale.get("a_b_c", "").code == "en_US"
    locale.set_default_locale("de")
    assert locale.get("xx").code == "de"
    with pytest.raises(ValueError, match="no translations for 'xx'"):
        locale.Locale.get("xx")
    assert spanish.name == "Español"
    assert not spanish.rtl


def test_gettext_catalogues_have_plurals_and_contexts(tmp_path):
    msgfmt = require("msgfmt")
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (tmp_path / "broken" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "broken" / "LC_MESSAGES" / "app.mo").write_bytes(b"junk")
    source = folder / "app.po"
    source.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n'
        'Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n'
        'msgid "school"\nmsgstr "école"\n'
        'msgctxt "law"\nmsgid "right"\nmsgstr "le droit"\n'
        'msgctxt "organization"\nmsgid "club"\nmsgid_plural "clubs"\n'
        'msgstr[0] "le club"\nmsgstr[1] "les clubs"\n',
        encoding="utf-8",
    )
    subprocess.run([msgfmt, source, "-o", folder / "app.mo"], check=True)
    locale.load_gettext_translations(tmp_path, "app")
    french = locale.get("fr_FR")
    assert french.translate("school") == "école"
    assert french.pgettext("law", "right") == "le droit"
    assert french.pgettext("other", "right") == "right"
    assert french.pgettext("organization", "club", "clubs", 1) == "le club"
    assert french.pgettext("organization", "club", "clubs", 2) == "les clubs"
    assert french.pgettext("none", "club", "clubs", 2) == "clubs"
    assert "broken" not in locale.get_supported_locales()


def test_lists_and_numbers(spanish):
    english = locale.get("en_US")
    assert english.list([]) == ""
    assert english.list(["A"]) == "A"
    assert english.list(["A", "B"]) == "A and B"
    assert english.list(["A", "B", "C"]) == "A, B and C"
    assert spanish.list(["A", "B", "C"]) == "A, B y C"
    assert english.friendly_number(1_234_567) == "1,234,567"


NOW = datetime.datetime(2026, 11, 21, 15, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("ago", "options", "expected"),
    [
        ({"seconds": 2}, {}, "2 seconds ago"),
        ({"seconds": 1}, {}, "1 second ago"),
        ({"minutes": 2}, {}, "2 minutes ago"),
        ({"hours": 2}, {}, "2 hours ago"),
        ({"seconds": -5}, {}, "0 seconds ago"),
        ({"days": 1}, {}, "yesterday at 3:30 pm"),
        ({"days": 1}, {"shorter": True}, "yesterday"),
        ({"days": 2}, {}, "Thursday at 3:30 pm"),
        ({"days": 2}, {"shorter": True}, "Thursday"),
        ({"days": 300}, {}, "January 25 at 3:30 pm"),
        ({"days": 300}, {"shorter": True}, "January 25"),
        ({"days": 500}, {}, "July 9, 2025 at 3:30 pm"),
        ({"days": 500}, {"shorter": True}, "July 9, 2025"),
        ({"hours": 2}, {"full_format": True}, "November 21, 2026 at 1:30 pm"),
        ({"hours": 2}, {"relative": False}, "1:30 pm"),
        ({"days": -2}, {}, "November 23, 2026 at 3:30 pm"),
    ],
)
def test_dates_are_told_as_people_tell_them(ago, options, expected):
    options = {"relative": True, "shorter": False, "full_format": False, **options}
    date = NOW - datetime.timedelta(**ago)
    english = locale.get("en_US")
    assert format_date(english, date, 0, now=lambda: NOW, **options) == expected
    naive = date.replace(tzinfo=None)
    assert format_date(english, naive, 0, now=lambda: NOW, **options) == expected
    seconds = date.timestamp()
    assert format_date(english, seconds, 0, now=lambda: NOW, **options) == expected


def test_days(spanish):
    day = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
    assert locale.get("en_US").format_day(day) == "Monday, November 23"
    assert locale.get("en_US").format_day(day, dow=False) == "November 23"
    assert spanish.format_day(day) == "lunes, November 23"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("de, en;q=0.7, fr;q=0.9", ["de", "fr", "en"]),
        ("en-US,en;q=0.5", ["en-US", "en"]),
        ("*;q=0.1, de", ["de", "*"]),
        ("de;q=0, en", ["en"]),
        ("de;q=2, en;q=x, fr;q=0.5", ["fr"]),
        ("", []),
        ("de;;q=1", []),
    ],
)
def test_what_browsers_ask_for(field, expected):
    assert [code for code, _ in locale.parse_accept_language(field)] == expected


@given(st.text())
def test_any_field_is_taken(text):
    for code, weight in locale.parse_accept_language(text):
        assert code
        assert 0 < weight <= 1
        locale.get(code)


def test_hostile_fields_are_bounded():
    assert len(locale.parse_accept_language("de," * 100_000)) <= 50
    assert locale.parse_accept_language("a" * 1_000_000) == []
    assert locale.parse_accept_language(" " * 1_000_000 + ";q=" + "1" * 1_000_000) == []
