"""`StaticFileHandler` with the hooks, versions and answers of Tornado's."""

import hashlib
import mimetypes
import os
import re
import stat
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from eyewall.base.log import gen_log
from eyewall.http.ranges import ByteRange, Unsatisfiable
from eyewall.tornado.legacy.handler import RequestHandler
from eyewall.web.errors import HTTPError
from eyewall.web.static import handler as ours
from eyewall.web.static.cache import Key, digest_of
from eyewall.web.static.paths import folder_redirect

_RANGE: Final = re.compile(r"bytes=\s*([0-9]*)(-?)([0-9]*)\Z")


class StaticFileHandler(ours.StaticFileHandler, RequestHandler):
    """As `eyewall.web.StaticFileHandler`, for subclasses that were written for Tornado's.

    Versions and tags are whole SHA-512 sums, types have no charset, any `v` in the address
    makes an answer cacheable, hidden files are served, and compressed siblings are not.
    """

    hidden: ClassVar[bool] = True
    precompressed: ClassVar[bool] = False
    MAX_VERSION_CONTENT_SIZE: ClassVar[int | None] = None
    """Largest file that has a version, in bytes; None for any."""

    def initialize(  # type: ignore[override]  # the route's arguments
        self,
        path: Any,
        default_filename: str | None = None,
        allowed_symlink_directory: str | Iterable[str] | None = None,
    ) -> None:
        """Set the folder.

        Args:
            path: The folder, or what a subclass takes instead of one.
            default_filename: The file that stands for a folder.
            allowed_symlink_directory: Where symbolic links may lead, instead of the folder.
        """
        self.root = path
        self.default_filename = default_filename
        if isinstance(allowed_symlink_directory, str):
            allowed_symlink_directory = [allowed_symlink_directory]
        self.allowed_symlink_directory = allowed_symlink_directory

    @classmethod
    def get_absolute_path(cls, root: Any, path: str) -> str:
        """The file that a path means."""
        return os.path.abspath(os.path.join(root, path))

    def validate_absolute_path(self, root: Any, absolute_path: str) -> str | None:
        """The file to send; None when the request was answered here.

        Raises:
            HTTPError: 403 for what leaves the folder or is no file, 404 for what is not there.
        """
        root = os.path.abspath(root)
        self._check_inside(root, absolute_path)
        mode = _mode_of(absolute_path)
        if mode is not None and stat.S_ISDIR(mode) and self.default_filename is not None:
            if self.exchange.path.startswith(("//", "/\\")):
                # Browsers would take what follows for a host.
                raise HTTPError(403, "cannot redirect path with two initial slashes")
            if not self.exchange.path.endswith("/"):
                self.redirect(
                    folder_redirect(self.exchange.path, self.exchange.query), permanent=True
                )
                return None
            absolute_path = os.path.join(absolute_path, self.default_filename)
            self._check_inside(root, absolute_path)
            mode = _mode_of(absolute_path)
        if mode is None:
            raise HTTPError(404)
        if not stat.S_ISREG(mode):
            raise HTTPError(403, "%s is not a file", self.path[:80])
        return absolute_path

    def _check_inside(self, root: str, absolute_path: str) -> None:
        allowed = getattr(self, "allowed_symlink_directory", None)
        if not _below(absolute_path, root) or not any(
            _below(os.path.realpath(absolute_path), os.path.realpath(folder))
            for folder in (allowed or [root])
        ):
            raise HTTPError(403, "%s is not in root static directory", self.path[:80])

    def get_content_type(self) -> str:
        """The content type, by the file's name."""
        kind, encoding = mimetypes.guess_type(self.absolute_path)
        if encoding == "gzip":
            return "application/gzip"
        if encoding is not None or kind is None:
            return "application/octet-stream"
        return kind

    def get_cache_time(self, path: str, modified: Any, mime_type: str) -> int:
        """Seconds that the answer may be cached: long where the address has a `v`."""
        return self.CACHE_MAX_AGE if "v" in self.request.arguments else 0

    def _part(self, size: int, tag: str | None) -> ByteRange | Unsatisfiable | None:
        field = self.exchange.header("Range")
        match = _RANGE.match(field.strip()) if field else None
        if match is None or not (match[1] or match[3]) or len(match[0]) > 40:
            return None
        if match[1]:
            start = int(match[1])
            end = int(match[3]) + 1 if match[3] else size
        else:
            start, end = max(0, size - int(match[3])), size
        if start >= size or start >= end:
            return Unsatisfiable()
        part = ByteRange(start, min(end, size))
        return None if part == ByteRange(0, size) else part

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """The version of a file: the SHA-512 of its content."""
        if cls.get_content.__func__ is ours.StaticFileHandler.get_content.__func__:  # type: ignore[attr-defined]  # class methods
            found = os.stat(abspath)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{abspath} is not a file")
            most = cls.MAX_VERSION_CONTENT_SIZE
            if most is not None and found.st_size > most:
                raise OSError(f"{abspath} is larger than {most} bytes")
            return digest_of(Key(abspath, found.st_mtime_ns, found.st_size, found.st_ino))
        content = cls.get_content(abspath)
        sum_ = hashlib.sha512()
        for piece in [content] if isinstance(content, bytes) else content:
            sum_.update(piece)
        return sum_.hexdigest()

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """The version of a file below the setting `static_path`; None where it has none.

        Raises:
            HTTPError: 403 for what is not below it.
        """
        root = settings["static_path"]
        absolute = cls.get_absolute_path(root, path)
        if isinstance(root, str) and not _below(absolute, os.path.abspath(root)):
            raise HTTPError(403, "%s is not in root static directory", path[:80])
        try:
            return cls.get_content_version(absolute)
        except OSError as exc:
            gen_log.error("Could not open static file %r: %s", absolute, exc)
            return None


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _mode_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return None
