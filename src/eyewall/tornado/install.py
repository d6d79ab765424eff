"""Makes `import tornado` give these modules, on request only."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Final

REAL: Final = "tornado"
OURS: Final = "eyewall.tornado"


class _OneModule(importlib.abc.InspectLoader):
    """Gives a module that has another name already; nothing is run twice."""

    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._target)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the alias's own specification there.
        module.__spec__ = self._spec

    def _inner(self) -> importlib.abc.InspectLoader:
        spec = importlib.util.find_spec(self._target)
        if spec is None or not isinstance(spec.loader, importlib.abc.InspectLoader):
            raise ImportError(f"{self._target} has no code to look at", name=self._target)
        return spec.loader

    # `python -m` asks for these three.
    def get_code(self, fullname: str) -> CodeType | None:
        return self._inner().get_code(self._target)

    def get_source(self, fullname: str) -> str | None:
        return self._inner().get_source(self._target)

    def is_package(self, fullname: str) -> bool:
        return self._inner().is_package(self._target)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != REAL and not fullname.startswith(REAL + "."):
            return None
        name = OURS + fullname[len(REAL) :]
        found = importlib.util.find_spec(name)
        if found is None:
            # Nothing of a Tornado that is installed too may be mixed in.
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: there is no {name}", name=fullname
            )
        return importlib.machinery.ModuleSpec(
            fullname,
            _OneModule(name),
            origin=found.origin,
            is_package=found.submodule_search_locations is not None,
        )


_finder: Final = _Finder()


def install() -> None:
    """From now on `import tornado` and `import tornado.X` give `eyewall.tornado`'s modules.

    They are the same objects under both names. Calling it again changes nothing.

    Raises:
        RuntimeError: Another Tornado was imported already.
    """
    if _finder in sys.meta_path:
        return
    other = sys.modules.get(REAL)
    if other is not None and other is not sys.modules.get(OURS):
        raise RuntimeError(
            f"tornado was imported already, from {getattr(other, '__file__', 'somewhere')}; "
            "import eyewall.tornado.patch before anything that imports tornado, or run the "
            "program with python -m eyewall.tornado"
        )
    sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Undo `install`; modules that were imported stay what they are to those who have them."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name in [name for name in sys.modules if name == REAL or name.startswith(REAL + ".")]:
        ours = sys.modules.get(OURS + name[len(REAL) :])
        if sys.modules[name] is ours:
            del sys.modules[name]
