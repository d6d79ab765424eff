"""From `module:attribute` to an application."""

import importlib
import inspect
import sys
import traceback
from pathlib import Path
from typing import Any, Final

from eyewall.base.errors import StartupError

_MODULES: Final = ("app", "main")
_ATTRIBUTES: Final = ("app", "application", "make_app")


def load(target: str | None, *, app_dir: str, factory: bool = False) -> Any:
    """Import an application.

    Args:
        target: `module:attribute`; without the attribute, `app`, `application` or `make_app`
            is taken; without a target, the same of `app.py` or `main.py`.
        app_dir: Folder that is put on the import path.
        factory: The attribute is a function that makes the application; a `make_app` without
            arguments always is.

    Raises:
        StartupError: One line that says what is wrong and where.
    """
    folder = str(Path(app_dir).resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, attribute = _split(target, folder)
    module = _import(module_name, folder)
    found: Any = module
    if attribute:
        for part in attribute.split("."):
            if not hasattr(found, part):
                raise StartupError(f"module {module_name!r} has no attribute {attribute!r}")
            found = getattr(found, part)
    else:
        attribute = next((name for name in _ATTRIBUTES if hasattr(module, name)), "")
        if not attribute:
            names = ", ".join(_ATTRIBUTES)
            raise StartupError(f"module {module_name!r} has none of {names}; name one: MODULE:NAME")
        found = getattr(module, attribute)
    if factory or (attribute == "make_app" and inspect.isfunction(found)):
        if not callable(found):
            raise StartupError(f"{module_name}:{attribute} is no function, but --factory was given")
        try:
            found = found()
        except Exception as exc:
            raise StartupError(
                f"{module_name}:{attribute}() failed: {_where(exc, folder)}"
            ) from exc
    if not callable(found):
        raise StartupError(
            f"{module_name}:{attribute} is {type(found).__name__}, which is no application"
        )
    return found


def _split(target: str | None, folder: str) -> tuple[str, str]:
    if target:
        module, _, attribute = target.partition(":")
        if module.endswith(".py"):
            raise StartupError(
                f"{target!r} is a file; name the module, for example "
                f"{Path(module).stem}:{attribute or 'app'} with --app-dir {Path(module).parent}"
            )
        if not module or module.startswith("."):
            raise StartupError(f"{target!r} names no module; the form is MODULE:NAME")
        return module, attribute
    for name in _MODULES:
        if (Path(folder) / f"{name}.py").is_file():
            return name, ""
    files = " or ".join(f"{name}.py" for name in _MODULES)
    raise StartupError(f"no application was named, and there is no {files} in {folder}")


def _import(name: str, folder: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        missing = exc.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise StartupError(f"there is no module {name!r} in {folder}") from exc
        raise StartupError(f"importing {name!r} failed: {_where(exc, folder)}") from exc
    except SyntaxError as exc:
        raise StartupError(f"{exc.filename}:{exc.lineno}: {exc.msg}") from exc
    except Exception as exc:
        raise StartupError(f"importing {name!r} failed: {_where(exc, folder)}") from exc


def _where(exc: Exception, folder: str) -> str:
    """The exception with the last line of the user's own code that it passed."""
    frames = traceback.extract_tb(exc.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(folder)]
    text = f"{type(exc).__name__}: {exc}"
    return f"{own[-1].filename}:{own[-1].lineno}: {text}" if own else text
