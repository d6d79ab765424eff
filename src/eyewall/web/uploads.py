"""Uploads that are received piece by piece, large files on disk."""

import shutil
import tempfile
from pathlib import Path
from typing import IO, ClassVar, final

from eyewall.http.multipart.form import boundary_of
from eyewall.http.multipart.headers import PartHeaders
from eyewall.http.multipart.parser import (
    Data,
    MultipartError,
    MultipartLimits,
    MultipartParser,
    PartBegin,
)
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler


@final
class UploadedFile:
    """A file that was uploaded: in memory while it is small, then in a file without a name.

    Attributes:
        name: The form's field.
        filename: The file's name as the client gave it, which may be anything.
        safe_name: The last part of it, without what no file's name should have.
        content_type: The type, as the client gave it.
        size: Bytes so far.
        file: The content, to be read and sought.
    """

    __slots__ = ("content_type", "file", "filename", "name", "safe_name", "size")

    def __init__(self, headers: PartHeaders, threshold: int, folder: str | None) -> None:
        self.name = headers.name
        self.filename = headers.filename or ""
        self.safe_name = headers.safe_name
        self.content_type = headers.content_type
        self.size = 0
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(threshold, dir=folder)  # noqa: SIM115 - a file in all but name, closed with the upload

    def read(self) -> bytes:
        """The whole content, from its beginning."""
        self.file.seek(0)
        return self.file.read()

    def save_to(self, path: str | Path) -> None:
        """Write the content to a file, which must not be there yet.

        Raises:
            FileExistsError: It is there.
        """
        self.file.seek(0)
        with Path(path).open("xb") as target:
            shutil.copyfileobj(self.file, target, 1 << 20)


class UploadMixin(RequestHandler):
    """Receives a form's files as they arrive, and then calls the verb.

    `self.uploads` has the files by field; fields are arguments as ever. What is over a limit is
    answered 413 while it arrives. Nothing is left on disk, whatever happens: files above
    `upload_threshold` have no name there.

    Class attributes: `max_body_size` (the whole body, bytes), `upload_limits`
    (`MultipartLimits`: parts, field and file sizes), `upload_threshold` (bytes that a file may
    have in memory), `upload_folder` (where larger ones lie; the system's by default).

    Example:
        >>> class Avatar(UploadMixin):
        ...     max_body_size = 5 * 1024 * 1024
        ...     def post(self):
        ...         avatar, = self.uploads["avatar"]
        ...         self.write({"bytes": avatar.size})
    """

    _stream_request_body = True
    upload_limits: ClassVar[MultipartLimits] = MultipartLimits()
    upload_threshold: ClassVar[int] = 1024 * 1024
    upload_folder: ClassVar[str | None] = None

    _parser: MultipartParser | None = None
    _part: "UploadedFile | list[bytes] | None" = None
    _received: int = 0
    _uploads: dict[str, list[UploadedFile]] | None = None

    @property
    def uploads(self) -> dict[str, list[UploadedFile]]:
        """The files that came, by the form's fields.

        Raises:
            HTTPError: 400; the request had no body.
        """
        if self._uploads is None:
            raise HTTPError(400, "there is no upload")
        return self._uploads

    def on_upload_progress(self, received: int, total: int | None) -> None:
        """Called with each piece: bytes that have come, and those that were announced."""

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        if self._parser is None:
            self._uploads = {}
            self._form_fields: dict[str, list[list[bytes]]] = {}
            self._parser = self._make_parser()
        self._received += len(chunk)
        try:
            for event in self._parser.feed(chunk):
                if isinstance(event, PartBegin):
                    self._begin(event.headers)
                elif isinstance(event, Data):
                    self._take(event.data)
        except MultipartError as exc:
            self._close_uploads()
            raise HTTPError(exc.status, "%s", exc) from exc
        self.on_upload_progress(self._received, self.exchange.content_length)

    def _xsrf_may_follow(self) -> bool:
        # A header or a query that has the token is checked before the body is read.
        header = self.exchange.header
        in_header = header("X-XSRFToken") or header("X-CSRFToken")
        return not in_header and "_xsrf" not in self.request.query_arguments

    def _make_parser(self) -> MultipartParser:
        try:
            boundary = boundary_of(self.exchange.header("Content-Type") or "")
            if boundary is None:
                raise HTTPError(415, "an upload is multipart/form-data")
            return MultipartParser(boundary, self.upload_limits)
        except MultipartError as exc:
            raise HTTPError(exc.status, "%s", exc) from exc

    def _begin(self, headers: PartHeaders) -> None:
        if headers.filename is None:
            self._part = []
            self._form_fields.setdefault(headers.name, []).append(self._part)
        else:
            self._part = UploadedFile(headers, self.upload_threshold, self.upload_folder)
            self.uploads.setdefault(headers.name, []).append(self._part)

    def _take(self, data: bytes) -> None:
        if isinstance(self._part, list):
            self._part.append(data)
        elif self._part is not None:
            self._part.file.write(data)
            self._part.size += len(data)

    def body_complete(self) -> None:
        """Called when the whole body has come."""
        if self._parser is None:
            raise HTTPError(400, "there is no upload")
        try:
            self._parser.finish()
        except MultipartError as exc:
            self._close_uploads()
            raise HTTPError(exc.status, "%s", exc) from exc
        fields = {
            name: [b"".join(pieces) for pieces in values]
            for name, values in self._form_fields.items()
        }
        self.request.__dict__["body_arguments"] = fields
        self.request.__dict__.pop("arguments", None)
        merged: dict[str, list[bytes]] = {
            name: list(values) for name, values in self.request.query_arguments.items()
        }
        for name, values in fields.items():
            merged.setdefault(name, []).extend(values)
        self.request.__dict__["arguments"] = merged
        for files in self.uploads.values():
            for file in files:
                file.file.seek(0)

    def _close_uploads(self) -> None:
        for files in (self._uploads or {}).values():
            for file in files:
                file.file.close()

    def on_finish(self) -> None:
        """Give the files back; call it from your own."""
        self._close_uploads()

    def on_connection_close(self) -> None:
        """Give the files back; call it from your own."""
        self._close_uploads()
