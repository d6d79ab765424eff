"""Parts of pages that bring their own scripts and styles: UI modules."""

import types
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from eyewall.base.escape import linkify, to_unicode, utf8
from eyewall.web.engine import escape_html

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest
    from eyewall.web.handler.handler import RequestHandler


class UIModule:
    """A part of a page, put in by `{% module Name(...) %}`; define `render`.

    Args:
        handler: The handler whose page it is.

    Example:
        >>> class Entry(UIModule):
        ...     def render(self, entry):
        ...         return self.render_string("entry.html", entry=entry)
        ...     def embedded_css(self):
        ...         return ".entry { margin: 1em }"
    """

    def __init__(self, handler: "RequestHandler") -> None:
        self.handler = handler

    @property
    def request(self) -> "HTTPServerRequest":
        """The request."""
        return self.handler.request

    @property
    def ui(self) -> Any:
        """The handler's modules and methods."""
        return self.handler.ui

    @property
    def locale(self) -> Any:
        """The handler's locale."""
        return self.handler.locale

    @property
    def current_user(self) -> Any:
        """Whom the request comes from."""
        return self.handler.current_user

    def render(self, *args: Any, **kwargs: Any) -> str | bytes:
        """The part's HTML."""
        raise NotImplementedError(f"{type(self).__name__} must define render()")

    def embedded_javascript(self) -> str | None:
        """A script that goes to the end of the page, once."""
        return None

    def javascript_files(self) -> str | Iterable[str] | None:
        """Addresses of scripts, or paths below `static_path`."""
        return None

    def embedded_css(self) -> str | None:
        """Style that goes into the page's head, once."""
        return None

    def css_files(self) -> str | Iterable[str] | None:
        """Addresses of style sheets, or paths below `static_path`."""
        return None

    def html_head(self) -> str | None:
        """HTML for the end of the head."""
        return None

    def html_body(self) -> str | None:
        """HTML for the end of the body."""
        return None

    def render_string(self, path: str, **kwargs: Any) -> bytes:
        """A template, rendered with the handler's names."""
        return self.handler.render_string(path, **kwargs)


class TemplateModule(UIModule):
    """A template as a part of a page: `{% module Template("entry.html", entry=entry) %}`.

    The template itself says what it brings, once for each file however often it is used:
    `{{ set_resources(embedded_css=".entry { margin: 1em }") }}`, with the names of the methods
    of `UIModule`.
    """

    def __init__(self, handler: "RequestHandler") -> None:
        super().__init__(handler)
        self._resources: dict[str, dict[str, Any]] = {}

    def render(self, path: str, **kwargs: Any) -> bytes:
        """The template with these names."""

        def set_resources(**resources: Any) -> str:
            self._resources.setdefault(path, resources)
            return ""

        return self.render_string(path, set_resources=set_resources, **kwargs)

    def _texts(self, key: str) -> str:
        found = (resources.get(key) for resources in self._resources.values())
        return "\n".join(to_unicode(text) or "" for text in found if text)

    def _paths(self, key: str) -> list[str]:
        paths: list[str] = []
        for resources in self._resources.values():
            given = resources.get(key) or ()
            paths.extend([given] if isinstance(given, str) else given)
        return paths

    def embedded_javascript(self) -> str:
        """Scripts of all templates."""
        return self._texts("embedded_javascript")

    def javascript_files(self) -> list[str]:
        """Addresses of their scripts."""
        return self._paths("javascript_files")

    def embedded_css(self) -> str:
        """Styles of all templates."""
        return self._texts("embedded_css")

    def css_files(self) -> list[str]:
        """Addresses of their style sheets."""
        return self._paths("css_files")

    def html_head(self) -> str:
        """What they put into the head."""
        return self._texts("html_head")

    def html_body(self) -> str:
        """What they put at the end of the body."""
        return self._texts("html_body")


class LinkifyModule(UIModule):
    """Text with its addresses made links: `{% module linkify(text) %}`."""

    def render(self, text: str, **kwargs: Any) -> str:
        """The text as HTML; further arguments are those of `eyewall.base.escape.linkify`."""
        return linkify(text, **kwargs)


class XsrfFormModule(UIModule):
    """A form's hidden field: `{% module xsrf_form_html() %}`."""

    def render(self) -> str:
        """The field with the token."""
        return self.handler.xsrf_form_html()


_ALWAYS: Final[dict[str, type[UIModule]]] = {
    "Template": TemplateModule,
    "linkify": LinkifyModule,
    "xsrf_form_html": XsrfFormModule,
}


class ModuleNamespace:
    """The modules and methods of one handler: `modules.Entry(...)`.

    Args:
        handler: The handler.
        modules: Module classes by name.
    """

    def __init__(self, handler: "RequestHandler", modules: Mapping[str, type[UIModule]]) -> None:
        self._handler = handler
        self._modules = modules
        self.active: dict[str, UIModule] = {}
        """Those that this page has used."""

    def __getitem__(self, name: str) -> Callable[..., str | bytes]:
        module = self.active.get(name)
        if module is None:
            module = self.active[name] = self._modules[name](self._handler)
        return module.render

    def __getattr__(self, name: str) -> Callable[..., str | bytes]:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no UI module {name!r}") from None


def collect_modules(given: Any) -> dict[str, type[UIModule]]:
    """UI modules from a dict, a Python module, or a list of them.

    `Template`, `linkify` and `xsrf_form_html` are always there.
    """
    return _ALWAYS | {
        name: value
        for name, value in _members(given)
        if isinstance(value, type) and issubclass(value, UIModule)
    }


def collect_methods(given: Any) -> dict[str, Callable[..., Any]]:
    """UI methods, functions of the handler, from a dict, a Python module, or a list of them."""
    return {
        name: value
        for name, value in _members(given)
        if callable(value)
        and not isinstance(value, type)
        and not name.startswith("_")
        and name[:1].lower() == name[:1]
    }


def _members(given: Any) -> Iterable[tuple[str, Any]]:
    if given is None:
        return
    if isinstance(given, types.ModuleType):
        yield from vars(given).items()
    elif isinstance(given, Mapping):
        yield from given.items()
    elif isinstance(given, list | tuple):
        for each in given:
            yield from _members(each)
    else:
        raise TypeError(
            f"UI modules and methods come from a dict, a module or a list, not {given!r}"
        )


def insert_resources(
    page: bytes,
    modules: Iterable[UIModule],
    static_url: Callable[[str], str],
    nonce: str | None = None,
) -> bytes:
    """A page with what its modules bring: styles before `</head>`, scripts before `</body>`.

    Args:
        page: The page.
        modules: The modules that it has.
        static_url: Makes addresses of paths.
        nonce: What a content security policy asks scripts and styles in the page for.
    """
    active = list(modules)
    allowed = f' nonce="{nonce}"' if nonce else ""
    head = ["".join(map(_link, _urls(active, "css_files", static_url)))]
    styles = [style for module in active if (style := module.embedded_css())]
    if styles:
        head.append(f'<style type="text/css"{allowed}>\n' + "\n".join(styles) + "\n</style>")
    head += [text for module in active if (text := module.html_head())]
    scripts = _urls(active, "javascript_files", static_url)
    body = ["".join(_script(url, allowed) for url in scripts)]
    embedded = [script for module in active if (script := module.embedded_javascript())]
    if embedded:
        joined = "\n".join(embedded)
        body.append(
            f'<script type="text/javascript"{allowed}>\n//<![CDATA[\n{joined}\n//]]>\n</script>'
        )
    body += [text for module in active if (text := module.html_body())]
    page = _insert(page, b"</head>", head, last=False)
    return _insert(page, b"</body>", body, last=True)


def _insert(page: bytes, tag: bytes, parts: list[str], *, last: bool) -> bytes:
    parts = [part for part in parts if part]
    if not parts:
        return page
    at = page.rfind(tag) if last else page.find(tag)
    if at < 0:
        return page
    text = utf8("\n".join(parts)) or b""
    return page[:at] + text + b"\n" + page[at:]


def _urls(modules: list[UIModule], which: str, static_url: Callable[[str], str]) -> Iterable[str]:
    seen: dict[str, None] = {}
    for module in modules:
        files = getattr(module, which)()
        for path in [files] if isinstance(files, str) else files or ():
            absolute = path.startswith(("/", "http:", "https:"))
            seen.setdefault(path if absolute else static_url(path))
    return seen


def _link(url: str) -> str:
    return f'<link href="{escape_html(url)}" type="text/css" rel="stylesheet"/>'


def _script(url: str, allowed: str) -> str:
    return f'<script src="{escape_html(url)}" type="text/javascript"{allowed}></script>'
