"""`StaticFileHandler`: files of a folder, with versions, ranges and conditions."""

import datetime
import mimetypes
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Generator, Iterable
from typing import Any, ClassVar, Final
from urllib.parse import quote

from eyewall.base.lazy import lazy
from eyewall.http.dates import format_date
from eyewall.http.etag import Outcome, evaluate, range_applies
from eyewall.http.ranges import ByteRange, Unsatisfiable, content_range, parse_range
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.static.cache import (
    ANSWERS,
    CONTENTS,
    HASHES,
    MOST_ANSWERS,
    Answer,
    Key,
    hash_aside,
    must_be_hashed,
    version_of,
)
from eyewall.web.static.paths import OutsideError, folder_redirect, is_inside, resolve

_PIECE: Final = 256 * 1024
_TEXT: Final = {"application/javascript", "application/json", "application/xml", "image/svg+xml"}
_CONDITIONS: Final = (
    "Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since",
)  # fmt: skip
_SIBLINGS: Final = (("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz"))


class StaticFileHandler(RequestHandler):
    """Serves the files of a folder.

    `Application(static_path="static")` makes a route of it; for others, give the path as the
    route's only group: `(r"/files/(.*)", StaticFileHandler, {"path": "/srv/files"})`.

    Answers carry an entity tag of the content, `Last-Modified` and `Accept-Ranges`; one range
    is answered with 206. An address with `?v=` and the content's version may be cached for ten
    years. A file beside another one with `.br`, `.zst` or `.gz` at its end is sent instead of
    it to clients that take it.

    Class attributes that subclasses may set:

    - `CACHE_MAX_AGE`: seconds that a versioned address may be cached.
    - `hidden`: whether names that begin with "." are served.
    - `follow_symlinks`: "inside" (links that stay in the folder), "always" or "never".
    - `precompressed`: whether compressed siblings are looked for.
    """

    CACHE_MAX_AGE: ClassVar[int] = 86400 * 365 * 10
    hidden: ClassVar[bool] = False
    follow_symlinks: ClassVar[str] = "inside"
    precompressed: ClassVar[bool] = True

    root: str
    path: str
    absolute_path: str
    # Whether nothing but attributes was changed: then answers can be kept.
    _is_plain: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_plain = not any(
            callable(value) or isinstance(value, classmethod | property)
            for each in cls.__mro__[: cls.__mro__.index(StaticFileHandler)]
            for value in vars(each).values()
        )

    def initialize(self, path: str | os.PathLike[str], default_filename: str | None = None) -> None:  # type: ignore[override]  # the route's arguments
        """Set the folder, and the file that stands for a folder, such as "index.html"."""
        self.root = os.path.abspath(path)
        self.default_filename = default_filename

    def head(self, path: str) -> Any:
        """Answer with the headers alone."""
        return self.get(path, include_body=False)

    def get(self, path: str, include_body: bool = True) -> Any:
        """Answer with the file, or with the part that was asked for."""
        kept = None
        if include_body and self._is_plain and self._wants_all():
            header = self.exchange.header("Accept-Encoding")
            # What others are answered may differ in headers of the application's settings.
            whose = (type(self), self.root, self.default_filename, self.application)
            kept = (*whose, path, self.exchange.query, header, self.exchange.scheme)
            answer = ANSWERS.get(kept)
            if answer is not None and answer.is_current():
                self._headers = answer.headers.copy()
                return self.finish(answer.body)
        self._kept = kept
        self.path = self.parse_url_path(path)
        absolute = self.get_absolute_path(self.root, self.path)
        checked = self.validate_absolute_path(self.root, absolute)
        if checked is None:
            return None
        self.absolute_path = checked
        self._encoding = self._choose_sibling()
        if self._is_plain and must_be_hashed(self._key):
            return self._hash_first(include_body)
        return self._answer(include_body)

    async def _hash_first(self, include_body: bool) -> None:
        await hash_aside(self._key)
        answered = self._answer(include_body)
        if isinstance(answered, Awaitable):
            await answered

    def _answer(self, include_body: bool) -> Any:
        self.modified = self.get_modified_time()
        self.set_headers()
        tag = self._headers.get("Etag")
        outcome = evaluate(self.exchange.method, self.exchange.header, tag, self.modified)
        if outcome is Outcome.FAILED:
            raise HTTPError(412)
        if self.should_return_304() or outcome is Outcome.NOT_MODIFIED:
            self.set_status(304)
            return self.finish()
        size = self.get_content_size()
        part = self._part(size, tag)
        if isinstance(part, Unsatisfiable):
            self.set_status(416)
            self.set_header("Content-Type", "text/plain")
            self.set_header("Content-Range", content_range(None, size))
            return self.finish()
        if part is not None:
            self.set_status(206)
            self.set_header("Content-Range", content_range(part, size))
        return self._send(part or ByteRange(0, size), size, include_body=include_body)

    def _wants_all(self) -> bool:
        """Whether it is answered like others: without conditions, ranges, or its own headers."""
        if self.application.headers_differ:
            return False
        header = self.exchange.header
        return all(header(name) is None for name in _CONDITIONS)

    def _part(self, size: int, tag: str | None) -> ByteRange | Unsatisfiable | None:
        field = self.exchange.header("Range")
        if field is None or self.exchange.method != "GET":
            return None
        if not range_applies(self.exchange.header("If-Range"), tag, self.modified):
            return None
        part = parse_range(field, size)
        return None if part == ByteRange(0, size) else part

    def _send(self, part: ByteRange, size: int, *, include_body: bool) -> Any:
        length = part.end - part.start
        self._headers["Content-Length"] = str(length)
        if not include_body:
            return self.finish()
        whole = length == size
        if type(self).get_content.__func__ is not _GET_CONTENT:  # type: ignore[attr-defined]  # a class method
            content = self.get_content(
                self.absolute_path, None if whole else part.start, None if whole else part.end
            )
            if isinstance(content, bytes):
                return self.finish(content)
            return self._stream(content)
        if size <= CONTENTS.largest:
            content = self._content()
            if self._kept is not None and len(content) == size:
                if len(ANSWERS) >= MOST_ANSWERS:
                    ANSWERS.clear()
                ANSWERS[self._kept] = Answer(self._key, self._headers.copy(), content)
            return self.finish(content if whole else content[part.start : part.end])
        return self._stream(self.get_content(self._file, part.start, part.end))

    def _content(self) -> bytes:
        key = self._key
        content = CONTENTS.get(key)
        if content is None:
            with open(self._file, "rb") as file:
                content = file.read(key.size + 1)
            # A file that changes while it is read is sent as it was found, and not kept.
            if len(content) == key.size:
                CONTENTS.put(key, content)
            else:
                self._headers["Content-Length"] = str(len(content))
        return content

    async def _stream(self, pieces: "Iterable[bytes] | AsyncIterator[bytes]") -> None:
        if isinstance(pieces, AsyncIterator):
            async for piece in pieces:
                self.write(piece)
                await self.flush()
            return
        for piece in pieces:
            self.write(piece)
            await self.flush()

    @lazy
    def _key(self) -> Key:
        found = os.stat(self._file)
        return Key(self._file, found.st_mtime_ns, found.st_size, found.st_ino)

    @property
    def _file(self) -> str:
        return self.absolute_path + self._encoding[1]

    def _choose_sibling(self) -> tuple[str, str]:
        """The content coding and the ending of the file that is sent."""
        accepts = self.exchange.header("Accept-Encoding") if self.precompressed else None
        if not accepts or type(self).get_content.__func__ is not _GET_CONTENT:  # type: ignore[attr-defined]  # a class method
            return ("", "")
        for coding, ending in _SIBLINGS:
            if _accepts(accepts, coding) and os.path.isfile(self.absolute_path + ending):
                return (coding, ending)
        return ("", "")

    def set_headers(self) -> None:
        """Set the headers of a file's answer."""
        self._headers["Accept-Ranges"] = "bytes"
        tag = self.compute_etag()
        if tag is not None:
            self._headers["Etag"] = tag
        if self.modified is not None:
            self._headers["Last-Modified"] = format_date(self.modified)
        kind = self.get_content_type()
        if kind:
            self.set_header("Content-Type", kind)
        if self._encoding[0]:
            self.set_header("Content-Encoding", self._encoding[0])
        if self.precompressed:
            # Added: what CORS says in it holds too.
            self.add_header("Vary", "Accept-Encoding")
        seconds = self.get_cache_time(self.path, self.modified, kind)
        if seconds > 0:
            until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
            self._headers["Expires"] = format_date(until)
            immutable = ", immutable" if seconds >= self.CACHE_MAX_AGE else ""
            self._headers["Cache-Control"] = f"max-age={seconds}{immutable}"
        self.set_extra_headers(self.path)

    def compute_etag(self) -> str | None:
        """The tag: the version of what is sent; override it for another one."""
        if type(self).get_content_version.__func__ is not _GET_CONTENT_VERSION:  # type: ignore[attr-defined]  # a class method
            version = self.get_content_version(self.absolute_path)
        else:
            version = version_of(self._key)
        return f'"{version}"' if version else None

    def should_return_304(self) -> bool:
        """Override it to answer 304 for reasons of your own."""
        return False

    def set_extra_headers(self, path: str) -> None:
        """Override it to add headers."""

    def get_cache_time(self, path: str, modified: datetime.datetime | None, mime_type: str) -> int:
        """Seconds that the answer may be cached: long where `v` is the version, else 0."""
        version = self.get_query_argument("v", None)
        # While a deploy goes on, an address may name the version that another server has.
        known = version is not None and self._headers.get("Etag") == f'"{version}"'
        return self.CACHE_MAX_AGE if known else 0

    def get_content_type(self) -> str:
        """The content type, by the file's name."""
        kind, encoding = mimetypes.guess_type(self.absolute_path)
        if encoding == "gzip":
            return "application/gzip"
        if encoding is not None or kind is None:
            return "application/octet-stream"
        if kind.startswith("text/") or kind in _TEXT:
            return f"{kind}; charset=UTF-8"
        return kind

    def get_content_size(self) -> int:
        """The size in bytes of what is sent."""
        return self._key.size

    def get_modified_time(self) -> datetime.datetime | None:
        """When the file was changed last, in whole seconds."""
        seconds = self._key.mtime_ns // 1_000_000_000
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)

    def parse_url_path(self, url_path: str) -> str:
        """A path below the folder from the route's group; override it for versions in paths."""
        return url_path

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """The file that a path means.

        Raises:
            HTTPError: 403 for what leaves the folder, 404 for what is hidden.
        """
        try:
            return resolve(root, path, hidden=cls.hidden)
        except OutsideError as exc:
            raise HTTPError(404 if "hidden" in str(exc) else 403, "%s", exc) from None

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """The file to send; None when the request was answered here.

        Raises:
            HTTPError: 403 for what leaves the folder or is no file, 404 for what is not there.
        """
        root = os.path.abspath(root)
        if absolute_path != root and not absolute_path.startswith(root.rstrip(os.sep) + os.sep):
            raise HTTPError(403, "%s is not in the folder of static files", self.path[:80])
        mode = _mode_of(absolute_path)
        if mode is not None and stat.S_ISDIR(mode) and self.default_filename is not None:
            if not self.exchange.path.endswith("/"):
                target = folder_redirect(self.exchange.path, self.exchange.query)
                self.redirect(target, permanent=True)
                return None
            absolute_path = os.path.join(absolute_path, self.default_filename)
            mode = _mode_of(absolute_path)
        if mode is None:
            raise HTTPError(404)
        if not stat.S_ISREG(mode):
            raise HTTPError(403, "%s is not a file", self.path[:80])
        self._check_links(root, absolute_path)
        return absolute_path

    def _check_links(self, root: str, absolute_path: str) -> None:
        if self.follow_symlinks == "always":
            return
        if self.follow_symlinks == "never":
            linked = os.path.realpath(absolute_path) != os.path.join(
                os.path.realpath(root), os.path.relpath(absolute_path, root)
            )
            if linked:
                raise HTTPError(403, "%s is a symbolic link", self.path[:80])
        elif not is_inside(root, absolute_path):
            raise HTTPError(403, "%s leads out of the folder", self.path[:80])

    @classmethod
    def get_content(cls, abspath: str, start: int | None = None, end: int | None = None) -> Any:
        """The file's bytes from `start` up to `end`: bytes, or an iterable of pieces.

        Override it to serve what lies elsewhere.
        """
        return _pieces(abspath, start or 0, end)

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """The version of a file: a hash of its content."""
        found = os.stat(abspath)
        if not stat.S_ISREG(found.st_mode):
            # A pipe without a writer would never open, and a device never end.
            raise OSError(f"{abspath} is not a file")
        return version_of(Key(abspath, found.st_mtime_ns, found.st_size, found.st_ino))

    @classmethod
    def make_static_url(
        cls, settings: dict[str, Any], path: str, include_version: bool = True
    ) -> str:
        """The address of a file below the setting `static_path`.

        Args:
            settings: The application's.
            path: The file's path below the folder.
            include_version: Whether its version is added.
        """
        prefix = settings.get("static_url_prefix", "/static/")
        url = prefix + quote(path)
        version = cls.get_version(settings, path) if include_version else None
        return f"{url}?v={version}" if version else url

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """The version of a file; None where there is no such file."""
        try:
            absolute = cls.get_absolute_path(os.path.abspath(settings["static_path"]), path)
            return cls.get_content_version(absolute)
        except (OSError, HTTPError):
            return None

    @classmethod
    def reset(cls) -> None:
        """Forget all contents and versions."""
        ANSWERS.clear()
        CONTENTS.clear()
        HASHES.clear()


_GET_CONTENT: Final = StaticFileHandler.get_content.__func__  # type: ignore[attr-defined]  # a class method
_GET_CONTENT_VERSION: Final = StaticFileHandler.get_content_version.__func__  # type: ignore[attr-defined]  # a class method


def _pieces(path: str, start: int, end: int | None) -> Generator[bytes, None, None]:
    with open(path, "rb") as file:
        file.seek(start)
        left = None if end is None else end - start
        while left is None or left > 0:
            piece = file.read(_PIECE if left is None else min(_PIECE, left))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece


def _mode_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return None


def _accepts(field: str, coding: str) -> bool:
    """Whether an `Accept-Encoding` names a coding without refusing it."""
    for item in field[:1024].lower().split(","):
        name, _, weight = item.partition(";")
        if name.strip() == coding:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
