"""Pages from templates."""

import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from eyewall.base.lazy import lazy
from eyewall.web.handler.identity import Identity
from eyewall.web.locale import Locale, parse_accept_language
from eyewall.web.secure_headers import CSP
from eyewall.web.templates.loader import BaseLoader, Loader
from eyewall.web.ui_modules import ModuleNamespace, insert_resources

_NONCE: Final = re.compile(r"'nonce-([\w-]+)'")


class _Ui:
    """`handler.ui`: the application's UI methods, bound to the handler, and its modules."""

    def __init__(self, handler: "Rendering") -> None:
        self._handler = handler

    def __getitem__(self, name: str) -> Callable[..., Any]:
        method = self._handler.application.ui_methods.get(name)
        if method is not None:
            return self._handler._bound(method)
        return self._handler._modules[name]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no UI method or module {name!r}") from None


class Rendering(Identity):
    """Templates with the names that every page wants."""

    @lazy
    def ui(self) -> _Ui:
        """The application's UI methods and modules."""
        return _Ui(self)

    @lazy
    def _modules(self) -> ModuleNamespace:
        return ModuleNamespace(self, self.application.ui_modules)  # type: ignore[arg-type]  # the chain's end

    def _bound(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return method(self, *args, **kwargs)

        return call

    @lazy
    def locale(self) -> Locale:
        """The language of the answer: the user's, or the browser's."""
        return self.get_user_locale() or self.get_browser_locale()

    def get_user_locale(self) -> Locale | None:
        """Override it to say which language the user has chosen; None for the browser's."""
        return None

    def get_browser_locale(self, default: str = "en_US") -> Locale:
        """The language that the browser asks for, among those that there are.

        Args:
            default: What is tried where the browser says nothing that there is.
        """
        field = self.exchange.header("Accept-Language")
        if field is not None:
            codes = [code for code, _ in parse_accept_language(field)]
            if codes:
                return Locale.get_closest(*codes)
        return Locale.get_closest(default)

    def get_template_path(self) -> str | None:
        """The folder of the templates; None for that of the handler's own file."""
        path = self.application.settings.get("template_path")
        return None if path is None else os.fspath(path)

    def create_template_loader(self, template_path: str) -> BaseLoader:
        """The loader for a folder; override it for templates from elsewhere.

        The settings `template_loader`, `autoescape` and `template_whitespace` change it.
        """
        settings = self.application.settings
        if "template_loader" in settings:
            loader: BaseLoader = settings["template_loader"]
            return loader
        options = {"autoescape": settings["autoescape"]} if "autoescape" in settings else {}
        return Loader(
            template_path,
            whitespace=settings.get("template_whitespace"),
            auto_reload=not settings.get(
                "compiled_template_cache", not settings.get("debug", False)
            ),
            **options,
        )

    def get_template_namespace(self) -> dict[str, Any]:
        """The names that templates have; override it to add some."""
        names: dict[str, Any] = {
            "handler": self,
            "request": self.request,
            "current_user": self.current_user,
            "locale": self.locale,
            "_": self.locale.translate,
            "pgettext": self.locale.pgettext,
            "static_url": self.static_url,
            "xsrf_form_html": self.xsrf_form_html,
            "reverse_url": self.application.reverse_url,
            "_tt_modules": self._modules,
            "modules": self._modules,
        }
        for name, method in self.application.ui_methods.items():
            names[name] = self._bound(method)
        return names

    @property
    def csp_nonce(self) -> str | None:
        """The nonce of this answer's Content-Security-Policy: `<script nonce="{{ ... }}">`.

        It is there where the policy of the setting `secure_headers` has `'nonce-{nonce}'`.
        """
        found = _NONCE.search(self._headers.get(CSP, ""))
        return found[1] if found else None

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """A template, with these names and those of `get_template_namespace`."""
        path = self.get_template_path()
        if path is None:
            source = inspect.getsourcefile(type(self))
            path = str(Path(source).parent) if source else "."
        loaders = self.application.template_loaders
        key = (type(self).create_template_loader, path)
        loader = loaders.get(key)
        if loader is None:
            loader = loaders.setdefault(key, self.create_template_loader(path))
        names = self.get_template_namespace()
        names.update(kwargs)
        return loader.load(template_name).generate(**names)

    def render(self, template_name: str, **kwargs: Any) -> Any:
        """Answer with a template, and with what its UI modules bring.

        Raises:
            RuntimeError: The answer was ended already.
        """
        if self._finished:
            raise RuntimeError("Cannot render() after finish()")
        page = self.render_string(template_name, **kwargs)
        active = self._modules.active
        if active:
            page = insert_resources(page, active.values(), self.static_url, self.csp_nonce)
        return self.finish(page)

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """The address of a file below the setting `static_path`, with its version.

        Args:
            path: The file's path below the folder.
            include_host: Whether the address is whole; by default as the attribute
                `include_host` of the handler says.
            kwargs: Arguments of the static handler's `make_static_url`.

        Raises:
            RuntimeError: There is no `static_path`.
        """
        settings = self.application.settings
        if not settings.get("static_path"):
            raise RuntimeError('static_url() needs the setting "static_path"')
        make = settings["static_handler_class"].make_static_url
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        base = f"{self.request.protocol}://{self.request.host}" if include_host else ""
        return base + str(make(settings, path, **kwargs))
