"""Jinja2 templates in the place of ours: `template_loader=JinjaLoader("templates")`."""

import threading
from collections.abc import Callable
from os import PathLike
from typing import Any, Final, final

from eyewall.base.errors import ConfigurationError

_HTML: Final = frozenset({"xsrf_form_html", "linkify"})
"""Names that handlers give to templates, and whose values are HTML already."""


@final
class JinjaLoader:
    """Finds and renders Jinja2 templates for `RequestHandler.render` and `render_string`.

    Templates have the names of `get_template_namespace`. What UI modules and `xsrf_form_html`
    return counts as safe HTML; all else is escaped as the environment says.

    Args:
        path: A folder, or several; not together with `environment`.
        environment: An environment of your own, with its loader, filters and extensions.
        options: Options of the `jinja2.Environment` that is made otherwise; it escapes
            everything (`autoescape=True`) by default.

    Raises:
        ConfigurationError: The `jinja2` library is not installed.
        ValueError: There is both a folder and an environment, or neither.

    Example:
        >>> loader = JinjaLoader("templates", trim_blocks=True)
        >>> app = Application(handlers, template_loader=loader)
    """

    def __init__(
        self,
        path: str | PathLike[str] | list[str] | None = None,
        *,
        environment: Any = None,
        **options: Any,
    ) -> None:
        try:
            import jinja2  # noqa: PLC0415 - an optional dependency
            import markupsafe  # noqa: PLC0415 - as above
        except ImportError:
            raise ConfigurationError(
                "Jinja2 templates need the jinja2 library: pip install 'eyewall[jinja2]'"
            ) from None
        if (path is None) == (environment is None) or (environment is not None and options):
            raise ValueError("give either a folder, and options, or an environment")
        if environment is None:
            options.setdefault("autoescape", True)
            files = jinja2.FileSystemLoader(path or "")
            environment = jinja2.Environment(loader=files, **options)  # noqa: S701 - set above
        self.environment: Any = environment
        self._markup: Callable[[str], Any] = markupsafe.Markup
        self._lock = threading.Lock()

    def load(self, name: str, parent_path: str | None = None) -> "JinjaTemplate":
        """A template by its name.

        Args:
            name: Its path below the folder, with "/" between its parts.
            parent_path: Not used: Jinja2's names are never relative.

        Raises:
            jinja2.TemplateNotFound: There is none.
            jinja2.TemplateSyntaxError: It cannot be understood; names its file and line.
        """
        with self._lock:
            return JinjaTemplate(self.environment.get_template(name), self._markup)

    def reset(self) -> None:
        """Forget the templates that are compiled."""
        with self._lock:
            if self.environment.cache is not None:
                self.environment.cache.clear()


@final
class JinjaTemplate:
    """A Jinja2 template with `generate`, as handlers call it."""

    __slots__ = ("_markup", "_template")

    def __init__(self, template: Any, markup: Callable[[str], Any]) -> None:
        self._template = template
        self._markup = markup

    def generate(self, **kwargs: Any) -> bytes:
        """The template with these names, as UTF-8."""
        for name in _HTML & kwargs.keys():
            kwargs[name] = self._safe(kwargs[name])
        if "modules" in kwargs:
            kwargs["modules"] = _Modules(kwargs["modules"], self._safe)
        text: str = self._template.render(kwargs)
        return text.encode("utf-8")

    def _safe(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def safe(*args: Any, **kwargs: Any) -> Any:
            value = function(*args, **kwargs)
            text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
            return self._markup(text)

        return safe


@final
class _Modules:
    """The UI modules, whose HTML is safe."""

    def __init__(self, modules: Any, safe: Callable[[Callable[..., Any]], Any]) -> None:
        self._modules = modules
        self._make_safe = safe

    def __getitem__(self, name: str) -> Any:
        return self._make_safe(self._modules[name])

    def __getattr__(self, name: str) -> Any:
        return self._make_safe(getattr(self._modules, name))
