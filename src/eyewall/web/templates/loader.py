"""`Template`, and the loaders that find templates by name."""

import os
import posixpath
import threading
from pathlib import Path
from typing import Any, Final

from eyewall.base.escape import to_unicode
from eyewall.web.templates.codegen import compile_file
from eyewall.web.templates.errors import ParseError
from eyewall.web.templates.nodes import File
from eyewall.web.templates.parser import Parser
from eyewall.web.templates.runtime import BUILT_INS
from eyewall.web.templates.traceback import at_template

_UNSET: Final[Any] = object()
_DEEPEST: Final = 50


class Template:
    """A template, compiled.

    Args:
        template_string: The template.
        name: Its name, for errors; what ends in ".html" or ".js" gets white space "single".
        loader: Where templates that it extends or includes are found.
        compress_whitespace: True for "single", False for "all"; `whitespace` says more.
        autoescape: The function for expressions; None for none. "xhtml_escape" by default.
        whitespace: "all", "single" or "oneline".

    Raises:
        ParseError: It cannot be understood.

    Example:
        >>> Template("<b>{{ name }}</b>").generate(name="A & B")
        b'<b>A &amp; B</b>'
    """

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: "BaseLoader | None" = None,
        *,
        compress_whitespace: bool | None = None,
        autoescape: str | None = _UNSET,
        whitespace: str | None = None,
    ) -> None:
        if compress_whitespace is not None:
            if whitespace is not None:
                raise TypeError("give either compress_whitespace or whitespace")
            whitespace = "single" if compress_whitespace else "all"
        text = to_unicode(template_string) or ""
        if loader is None:
            escape = "xhtml_escape" if autoescape is _UNSET else autoescape
            mode = whitespace or _mode_of(name)
            file = Parser(text, name, library=None, autoescape=escape, whitespace=mode).parse()
        else:
            escape = loader.autoescape if autoescape is _UNSET else autoescape
            file = loader.parse(text, name, autoescape=escape, whitespace=whitespace)
        self._prepare(file, loader)

    @classmethod
    def of(cls, file: File, loader: "BaseLoader") -> "Template":
        """The template of a parsed file."""
        template = cls.__new__(cls)
        template._prepare(file, loader)
        return template

    def _prepare(self, file: File, loader: "BaseLoader | None") -> None:
        self.name = file.name
        self.autoescape = file.autoescape
        self._code, self._places = compile_file(file)
        self._names = {**BUILT_INS, "__name__": file.name.replace(".", "_")}
        if loader is not None:
            self._names.update(loader.namespace)

    def generate(self, **kwargs: Any) -> bytes:
        """The template with these names, as UTF-8."""
        names = {**self._names, **kwargs}
        exec(self._code, names)  # noqa: S102 - defines the function, with these names around it
        try:
            text: str = names["_tt_execute"]()
        except Exception as exc:  # noqa: BLE001 - raised again, at the template's line
            raise at_template(exc, self._code, self._places)  # noqa: B904 - the same one
        return text.encode()


class BaseLoader:
    """Finds templates by name and keeps them; define `_read` and `resolve_path`.

    Args:
        autoescape: The function for expressions in all templates; None for none.
        namespace: Names that all templates have.
        whitespace: The mode for all templates; by default it depends on the name.
    """

    def __init__(
        self,
        autoescape: str | None = "xhtml_escape",
        namespace: dict[str, Any] | None = None,
        whitespace: str | None = None,
    ) -> None:
        self.autoescape = autoescape
        self.namespace = namespace or {}
        self.whitespace = whitespace
        self.templates: dict[str, Template] = {}
        self._files: dict[str, File] = {}
        self._parsing: list[str] = []
        self._lock = threading.RLock()

    def reset(self) -> None:
        """Forget all templates, so that they are read anew."""
        with self._lock:
            self.templates = {}
            self._files = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """The whole name of a template, as another one says it.

        Args:
            name: Relative to the parent's folder, or to the root when it begins with "/".
            parent_path: The other template's whole name.
        """
        if parent_path and not parent_path.startswith(("<", "/")) and not name.startswith("/"):
            return posixpath.normpath(posixpath.join(posixpath.dirname(parent_path), name))
        return name

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """A template, compiled once.

        Raises:
            ParseError: It cannot be understood.
            FileNotFoundError: There is none of that name.
        """
        name = self.resolve_path(name, parent_path)
        with self._lock:
            template = self.templates.get(name)
            if template is None:
                template = self.templates[name] = Template.of(self.parsed(name, ""), self)
            return template

    def parsed(self, name: str, parent: str) -> File:
        """A template's parts, for those that extend or include it."""
        name = self.resolve_path(name, parent or None)
        with self._lock:
            file = self._files.get(name)
            if file is None:
                if name in self._parsing or len(self._parsing) >= _DEEPEST:
                    raise ParseError(f"{name} extends or includes itself", parent or name, 1)
                self._parsing.append(name)
                try:
                    file = self._files[name] = self.parse(self._read(name), name)
                finally:
                    self._parsing.pop()
            return file

    def parse(
        self,
        text: str,
        name: str,
        *,
        autoescape: str | None = _UNSET,
        whitespace: str | None = None,
    ) -> File:
        """Parse a text as one of this loader's templates."""
        return Parser(
            text,
            name,
            library=self,
            autoescape=self.autoescape if autoescape is _UNSET else autoescape,
            whitespace=whitespace or self.whitespace or _mode_of(name),
        ).parse()

    def _read(self, name: str) -> str:
        raise NotImplementedError(f"{type(self).__name__} must define _read()")


class Loader(BaseLoader):
    """Templates in a folder.

    Args:
        root_directory: The folder.
        auto_reload: Whether files that have changed are read anew.
        options: Arguments of `BaseLoader`.
    """

    def __init__(
        self, root_directory: str | os.PathLike[str], *, auto_reload: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.root = Path(root_directory).resolve()
        self._auto_reload = auto_reload
        self._seen: dict[Path, int] = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """The name below the folder; parents may be named by their paths too."""
        root = f"{self.root}{os.sep}"
        if parent_path and parent_path.startswith(root):
            parent_path = parent_path.removeprefix(root)
        name = name.removeprefix(root)
        return super().resolve_path(name, parent_path).lstrip("/")

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """A template; where one has changed, all are read anew."""
        if self._auto_reload and any(_changed(path, seen) for path, seen in self._seen.items()):
            self.reset()
        return super().load(name, parent_path)

    def reset(self) -> None:
        """Forget all templates, so that they are read anew."""
        with self._lock:
            super().reset()
            self._seen = {}

    def parsed(self, name: str, parent: str) -> File:
        """A template's parts; its name in errors is the file's path."""
        return super().parsed(name, parent)

    def parse(self, text: str, name: str, **options: Any) -> File:
        """Parse a text under the path of its file, which errors then name."""
        return super().parse(text, str(self.root / name), **options)

    def _read(self, name: str) -> str:
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root):
            raise FileNotFoundError(f"{name!r} is outside of {self.root}")
        self._seen[path] = path.stat().st_mtime_ns
        return path.read_text(encoding="utf-8")


class DictLoader(BaseLoader):
    """Templates in a dictionary, names to texts.

    Args:
        templates: The dictionary.
        options: Arguments of `BaseLoader`.
    """

    def __init__(self, templates: dict[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.dict = templates

    def _read(self, name: str) -> str:
        if name not in self.dict:
            raise FileNotFoundError(f"there is no template {name!r}")
        return to_unicode(self.dict[name]) or ""


def _mode_of(name: str) -> str:
    return "single" if name.endswith((".html", ".js")) else "all"


def _changed(path: Path, seen: int) -> bool:
    try:
        return path.stat().st_mtime_ns != seen
    except OSError:
        return True
