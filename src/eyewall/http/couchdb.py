"""`CouchDB`: a database of CouchDB, over the HTTP client."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeAlias
from urllib.parse import quote

from eyewall.http.client.errors import (
    HTTPConnectError,
    HTTPProtocolError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
)
from eyewall.http.client.session import Session

if TYPE_CHECKING:
    from eyewall.http.client.response import HTTPResponse

Document: TypeAlias = dict[str, Any]

_AS_JSON: Final = frozenset({"key", "keys", "startkey", "endkey", "start_key", "end_key"})
_LONGEST_CHANGE: Final = 16 * 1024 * 1024
_LONGEST_PAUSE_S: Final = 10.0


class CouchDBError(Exception):
    """The database refuses a request.

    Args:
        status: The status that it answered with.
        error: Its name for the error.
        reason: What it says about it.
    """

    def __init__(self, status: int, error: str, reason: str) -> None:
        super().__init__(status, error, reason)
        self.status = status
        self.error = error
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.status} {self.error}: {self.reason}"


class NotFoundError(CouchDBError):
    """There is no such document, view or database."""


class ConflictError(CouchDBError):
    """The document was changed since the revision that is given, or the database exists."""


class Cursor(NamedTuple):
    """A place between two rows, to page from. It is made of what JSON knows."""

    key: Any
    id: str
    backwards: bool = False


class Page(NamedTuple):
    """Some rows of a view, and where to go on from either end; None where there is no more."""

    rows: list[dict[str, Any]]
    previous: Cursor | None
    next: Cursor | None


class CouchDB:
    """One database.

    Use it as `async with CouchDB(url) as db:`, or close it.

    Args:
        url: The database's URL.
        auth: Name and password.
        options: More options of `eyewall.http.client.Session`.

    Example:
        async with CouchDB("http://localhost:5984/notes", auth=("ann", password)) as db:
            await db.put({"_id": "first", "text": "hello"})
            note = await db.get("first")
    """

    def __init__(self, url: str, *, auth: tuple[str, str] | None = None, **options: Any) -> None:
        self._session = Session(url.rstrip("/"), auth=auth, **options)
        self._url = url.rstrip("/")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    async def create(self) -> None:
        """Make the database.

        Raises:
            ConflictError: There is one.
        """
        await self._ask("PUT", "")

    async def destroy(self) -> None:
        """Delete the database, with all that is in it."""
        await self._ask("DELETE", "")

    async def get(self, doc_id: str, **params: Any) -> Document:
        """A document.

        Args:
            doc_id: Its id.
            params: CouchDB's query parameters, such as `rev`.

        Raises:
            NotFoundError: There is none.
        """
        found: Document = await self._ask("GET", _path(doc_id), params)
        return found

    async def put(self, document: Document) -> Document:
        """Save a document; without an `_id` it gets one.

        Returns:
            The document as it is now, with its `_id` and `_rev`.

        Raises:
            ConflictError: Its `_rev` is not the newest one.
        """
        if "_id" in document:
            answer = await self._ask("PUT", _path(document["_id"]), content=document)
        else:
            answer = await self._ask("POST", "", content=document)
        return {**document, "_id": answer["id"], "_rev": answer["rev"]}

    async def delete(self, document: Document) -> None:
        """Delete a document, of which `_id` and `_rev` count.

        Raises:
            ConflictError: Its `_rev` is not the newest one.
        """
        await self._ask("DELETE", _path(document["_id"]), {"rev": document["_rev"]})

    async def bulk(self, documents: Iterable[Document]) -> list[dict[str, Any]]:
        """Save several documents; conflicts are told in the results, not raised."""
        answer: list[dict[str, Any]] = await self._ask(
            "POST", "_bulk_docs", content={"docs": list(documents)}
        )
        return answer

    async def rows(self, view: str | None = None, **params: Any) -> list[dict[str, Any]]:
        """Rows of a view.

        Args:
            view: "design/view"; None for all documents.
            params: CouchDB's query parameters; keys are values, not JSON.

        Raises:
            NotFoundError: There is no such view.
        """
        answer = await self._ask("GET", _view(view), params)
        rows: list[dict[str, Any]] = answer["rows"]
        return rows

    async def page(
        self,
        view: str | None = None,
        *,
        cursor: Cursor | None = None,
        limit: int = 20,
        descending: bool = False,
        **params: Any,
    ) -> Page:
        """A page of a view's rows, in the view's order whichever way it was reached.

        Paging goes by key, so a page costs the same wherever it is, and documents that come or go
        meanwhile make no row appear twice or be left out.

        Args:
            view: As for `rows`.
            cursor: `previous` or `next` of another page; None for the first one.
            limit: Most rows.
            descending: Whether the largest key is first.
            params: As for `rows`; `startkey` and `endkey` bound all pages.

        Raises:
            ValueError: The limit is less than 1.
        """
        if limit < 1:
            raise ValueError(f"a page has at least one row, not {limit}")
        if view is not None:
            params.setdefault("reduce", False)
        if cursor is not None:
            params |= {"startkey_docid": cursor.id}
            if cursor.backwards:
                first = params.pop("startkey", None)
                params.pop("endkey", None)
                if first is not None:
                    params["endkey"] = first
            params["startkey"] = cursor.key
        backwards = cursor is not None and cursor.backwards
        params |= {"descending": descending != backwards, "limit": limit + 1 + backwards}
        rows = await self.rows(view, **params)
        if cursor is None or not backwards:
            return Page(
                rows[:limit],
                Cursor(cursor.key, cursor.id, backwards=True) if cursor is not None else None,
                _cursor(rows[limit]) if len(rows) > limit else None,
            )
        # The row that the cursor names is the next page's, unless it is gone.
        rows = [row for row in rows if _cursor(row)[:2] != cursor[:2]]
        shown = rows[:limit][::-1]
        before = _cursor(shown[0], backwards=True) if len(rows) > limit else None
        return Page(shown, before, Cursor(cursor.key, cursor.id))

    async def changes(
        self,
        since: str | int = "now",
        *,
        live: bool = True,
        heartbeat_s: float = 30.0,
        **params: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """Changes of the database as they happen.

        When the connection is lost, it is made again, and the changes go on where they were.

        Args:
            since: The `seq` after which to begin; "now", or 0 for all.
            live: Go on for ever, rather than end with the last change there is.
            heartbeat_s: How often the server shows that it is alive.
            params: CouchDB's query parameters, such as `include_docs` or `filter`.

        Raises:
            CouchDBError: The database refuses it.
            HTTPClientError: Without `live`, the connection was lost.
        """
        pause_s = 0.0
        params["feed"] = "continuous" if live else "normal"
        if live:
            params["heartbeat"] = int(heartbeat_s * 1000)
        while True:
            try:
                async for change in self._changes(since, params, heartbeat_s * 3):
                    since, pause_s = change["seq"], 0.0
                    yield change
                if not live:
                    return
            except (HTTPConnectError, HTTPStreamClosedError, HTTPTimeoutError) as error:
                if not live or isinstance(error, HTTPProtocolError):
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(max(pause_s * 2, 0.1), _LONGEST_PAUSE_S)

    async def _changes(
        self, since: str | int, params: Mapping[str, Any], idle_s: float
    ) -> AsyncIterator[dict[str, Any]]:
        asked = _query({**params, "since": since})
        # A server that compresses keeps lines back until there are enough of them.
        options: dict[str, Any] = {
            "params": asked,
            "idle_timeout_s": idle_s,
            "decompress_response": False,
        }
        async with self._session.stream("GET", f"{self._url}/_changes", **options) as response:
            if response.code != 200:
                raise _refusal(response.code, await response.read())
            if params["feed"] == "normal":
                for change in (await response.json())["results"]:
                    yield change
                return
            async for line in response.json_lines(max_bytes=_LONGEST_CHANGE):
                if "seq" in line:
                    yield line

    async def _ask(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, content: Any = None
    ) -> Any:
        url = f"{self._url}/{path}" if path else self._url
        options: dict[str, Any] = {} if content is None else {"json": content}
        if content is None and method == "PUT":
            options["content"] = b""
        if params:
            options["params"] = _query(params)
        response: HTTPResponse = await self._session.request(method, url, **options)
        if response.code >= 300:
            raise _refusal(response.code, response.body)
        return response.json()


def _path(doc_id: str) -> str:
    """A document's path; the prefixes of design and local documents stay readable.

    Raises:
        ValueError: It is no id.
    """
    for prefix in ("_design/", "_local/"):
        if doc_id.startswith(prefix):
            return prefix + _path(doc_id.removeprefix(prefix))
    if not doc_id or doc_id.strip(".") == "" or doc_id.startswith("_"):
        raise ValueError(f"{doc_id!r} cannot be a document's id")
    return quote(doc_id, safe="")


def _view(view: str | None) -> str:
    if view is None:
        return "_all_docs"
    design, slash, name = view.partition("/")
    if not slash:
        raise ValueError(f'a view is named "design/view", not {view!r}')
    return f"_design/{quote(design, safe='')}/_view/{quote(name, safe='')}"


def _query(params: Mapping[str, Any]) -> dict[str, str]:
    """Keys are JSON in CouchDB's queries, and so are booleans and numbers."""
    return {
        name: value if isinstance(value, str) and name not in _AS_JSON else json.dumps(value)
        for name, value in params.items()
    }


def _cursor(row: Mapping[str, Any], *, backwards: bool = False) -> Cursor:
    return Cursor(row["key"], row["id"], backwards)


def _refusal(status: int, body: bytes) -> CouchDBError:
    try:
        told = json.loads(body)
        error, reason = str(told["error"]), str(told.get("reason", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        error, reason = "unknown", "the answer is not CouchDB's"
    kind = {404: NotFoundError, 409: ConflictError, 412: ConflictError}.get(status, CouchDBError)
    return kind(status, error, reason)
