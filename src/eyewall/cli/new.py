"""`eyewall new`: the beginning of a program, as files."""

import keyword
import secrets
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from eyewall.base.errors import ConfigurationError

TEMPLATES: Final = ("minimal", "chat", "django")
_SUFFIX: Final = ".tmpl"


def new(name: str, template: str, folder: str | None = None) -> int:
    """Make a project; returns the exit code.

    Args:
        name: What it is called.
        template: One of `TEMPLATES`.
        folder: Where it goes; by default a folder of its name.

    Raises:
        ConfigurationError: The name cannot be used, or the folder has something in it.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a Python module; use letters, digits and underscores"
        )
    target = Path(folder or name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigurationError(f"{target} is there already, and not empty")
    source = resources.files("eyewall.cli") / "templates" / template
    values = {"@NAME@": name, "@SECRET@": secrets.token_urlsafe(48)}
    for path in _write(source, target, values):
        print(path)  # noqa: T201 - what was asked for
    print(f"\ncd {target} && eyewall dev")  # noqa: T201 - what was asked for
    return 0


def _write(source: Traversable, target: Path, values: dict[str, str]) -> list[Path]:
    written: list[Path] = []
    target.mkdir(parents=True, exist_ok=True)
    for each in sorted(source.iterdir(), key=lambda entry: entry.name):
        path = target / _filled(each.name, values).removesuffix(_SUFFIX)
        if each.is_dir():
            written += _write(each, path, values)
        else:
            path.write_text(_filled(each.read_text(encoding="utf-8"), values), encoding="utf-8")
            written.append(path)
    return written


def _filled(text: str, values: dict[str, str]) -> str:
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text
