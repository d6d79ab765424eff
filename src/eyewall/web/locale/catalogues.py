"""Where translations come from: CSV files, or gettext's."""

import codecs
import csv
import gettext
import os
import re
from pathlib import Path
from typing import Final, final

from eyewall.base.log import gen_log

_CODE: Final = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?\Z")
FORMS: Final = ("plural", "singular", "unknown")


@final
class Translations:
    """The catalogues of a program.

    Attributes:
        default: The language of the texts in the program.
        csv: For each language, for each form, texts to their translations.
        gettext: For each language, gettext's catalogue.
    """

    def __init__(self) -> None:
        self.default = "en_US"
        self.csv: dict[str, dict[str, dict[str, str]]] = {}
        self.gettext: dict[str, gettext.NullTranslations] = {}

    def supported(self) -> frozenset[str]:
        """The languages that there are, the default among them."""
        return frozenset({*self.csv, *self.gettext, self.default})


TRANSLATIONS: Final = Translations()
"""Those of this program."""


def set_default_locale(code: str) -> None:
    """Say which language the program's own texts are in, for example "de_DE"."""
    TRANSLATIONS.default = code


def load_translations(directory: str | os.PathLike[str], encoding: str | None = None) -> None:
    """Load a folder of CSV files, one for each language, such as `es_LA.csv`.

    A line has a text, its translation, and for texts with a number "plural" or "singular".
    What is no line of a catalogue is left out with a warning; the rest loads.

    Args:
        directory: The folder.
        encoding: The files' encoding; by default what their byte order mark says, or UTF-8.
    """
    TRANSLATIONS.gettext = {}
    TRANSLATIONS.csv = {}
    for path in sorted(Path(directory).iterdir()):
        if path.suffix != ".csv":
            continue
        if _CODE.match(path.stem) is None:
            gen_log.error("Unrecognized locale %r (path: %s)", path.stem, path)
            continue
        used = encoding or _encoding_of(path)
        with path.open(encoding=used, newline="") as file:
            TRANSLATIONS.csv[path.stem] = _read(path, csv.reader(file))
    gen_log.debug("Supported locales: %s", ", ".join(sorted(TRANSLATIONS.supported())))


def _encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _read(path: Path, rows: "csv._reader") -> dict[str, dict[str, str]]:  # type: ignore[name-defined]  # csv's own type
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if len(row) < 2:
            if row:
                gen_log.warning("%s:%d: a text without its translation", path, rows.line_num)
            continue
        text, translation = row[0].strip(), row[1].strip()
        form = row[2].strip() if len(row) > 2 else ""
        form = form or "unknown"
        if form not in FORMS:
            gen_log.error("%s:%d: unrecognized plural indicator %r", path, rows.line_num, form[:40])
            continue
        found.setdefault(form, {})[text] = translation
    return found


def load_gettext_translations(directory: str | os.PathLike[str], domain: str) -> None:
    """Load gettext's catalogues: `{directory}/{language}/LC_MESSAGES/{domain}.mo`.

    Languages whose catalogue cannot be read are left out with an error in the log.
    """
    TRANSLATIONS.gettext = {}
    TRANSLATIONS.csv = {}
    for path in sorted(Path(directory).iterdir()):
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            found = gettext.translation(domain, directory, languages=[path.name])
        except (OSError, ValueError, UnicodeDecodeError) as exc:
            gen_log.error("Cannot load translation for %r: %s", path.name, exc)
            continue
        TRANSLATIONS.gettext[path.name] = found
    gen_log.debug("Supported locales: %s", ", ".join(sorted(TRANSLATIONS.supported())))
