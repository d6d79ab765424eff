"""`Session`, and the mixin that gives handlers one."""

import asyncio
import secrets
import time
from collections.abc import Iterator, MutableMapping
from typing import Any, Final, cast, final

import msgspec

from eyewall.base.escape import utf8
from eyewall.base.log import gen_log
from eyewall.loop.eager import start_task
from eyewall.web.errors import HTTPError
from eyewall.web.handler.handler import RequestHandler
from eyewall.web.sessions.stores import (
    LARGEST_COOKIE,
    CookieStore,
    SessionStore,
    SessionStoreError,
    SessionTooLargeError,
    key_of,
)

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_ID_BYTES: Final = 32
_FLASHES: Final = "_flashes"
# When it was saved, in seconds since the epoch; kept beside the data.
_SAVED_AT: Final = "_saved_at"
# A session in use is saved again when this part of its time is over.
_RENEWED_AFTER: Final = 0.1


@final
class Session(MutableMapping[str, Any]):
    """What is remembered of a browser: a mapping of names to values that JSON knows.

    Change it by assignment; what is changed inside of a value is noticed too, because the
    whole is compared when it is saved.
    """

    __slots__ = ("_before", "_data", "_ended", "_rotated", "_saved_at", "id")

    def __init__(self, session_id: str | None = None, data: dict[str, Any] | None = None) -> None:
        self.id = session_id
        """What the browser's cookie says; None until there is something to remember."""
        self._data: dict[str, Any] = data or {}
        self._saved_at = self._data.pop(_SAVED_AT, None)
        self._before = _encode(self._data)
        self._rotated = False
        self._ended = False

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._data[name] = value

    def __delitem__(self, name: str) -> None:
        del self._data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def is_new(self) -> bool:
        """Whether the browser had none."""
        return self.id is None

    def encoded(self) -> bytes:
        """The data as it is kept."""
        return _encode({**self._data, _SAVED_AT: int(time.time())})

    def is_changed(self) -> bool:
        """Whether it must be saved."""
        return self._rotated or self._ended or _encode(self._data) != self._before

    def is_due(self, max_age_s: int) -> bool:
        """Whether it should be saved again, so that it does not end while it is used."""
        if not self._data or self._ended:
            return False
        if not isinstance(self._saved_at, int | float):
            return True
        return time.time() - self._saved_at > max_age_s * _RENEWED_AFTER

    def merge(self, kept: bytes) -> None:
        """Put the changes made here into data that was saved by another request meanwhile."""
        try:
            merged = _decode(kept)
        except (msgspec.DecodeError, RecursionError):
            return
        merged.pop(_SAVED_AT, None)
        before = _decode(self._before)
        for name in before.keys() - self._data.keys():
            merged.pop(name, None)
        for name, value in self._data.items():
            if name not in before or _encode(before[name]) != _encode(value):
                merged[name] = value
        self._data = merged

    def rotate(self) -> None:
        """Give the session another id: do it whenever somebody logs in.

        An id that somebody else knew before the login is then worth nothing.
        """
        self._rotated = True

    def invalidate(self) -> None:
        """Forget everything: do it when somebody logs out."""
        self._data.clear()
        self._ended = True

    def flash(self, message: Any) -> None:
        """Keep a message for the next page."""
        self._data.setdefault(_FLASHES, []).append(message)

    def flashes(self) -> list[Any]:
        """The messages that were kept, which are then gone."""
        return cast("list[Any]", self._data.pop(_FLASHES, []))


class SessionMixin(RequestHandler):
    """Gives a handler `self.session`, loaded before the verb and saved before the answer.

    The setting `session` is a dict: `store` (a `SessionStore`; `CookieStore()` by default),
    `cookie_name` ("session"), `max_age_s` (two weeks), `sliding` (True: counted from the last
    use, or False: from the last change), `samesite` ("Lax"), `domain`, `path`. The cookie is
    not for scripts, and over TLS not for clear text.

    Example:
        >>> class Login(SessionMixin):
        ...     def post(self):
        ...         self.session.rotate()
        ...         self.session["user"] = self.get_argument("name")
    """

    _has_session = True
    session: Session
    _session_saved: bool = False

    def _session_option(self, name: str, default: Any) -> Any:
        return self.application.settings.get("session", {}).get(name, default)

    @property
    def _session_store(self) -> SessionStore | CookieStore:
        store = self._session_option("store", None)
        return CookieStore() if store is None else cast("SessionStore", store)

    @property
    def _max_age_s(self) -> int:
        return cast("int", self._session_option("max_age_s", 14 * 86400))

    async def load_session(self) -> None:
        """Load the session; it is called before `prepare`."""
        name = self._session_option("cookie_name", "session")
        store = self._session_store
        if isinstance(store, CookieStore):
            days = self._max_age_s / 86400
            signed = self.get_signed_cookie(name, max_age_days=days)
            self.session = _session("cookie", signed)
            return
        session_id = self.get_cookie(name)
        if session_id is None or not 20 <= len(session_id) <= 100:
            self.session = Session()
            return
        try:
            kept = await store.load(key_of(session_id))
        except SessionStoreError as exc:
            raise HTTPError(503, "%s", exc) from exc
        # An id that the store does not know is never taken over from the browser.
        self.session = _session(session_id, kept)

    async def save_session(self) -> None:
        """Save the session if it must be; it is called before the head is sent.

        Raises:
            SessionTooLargeError: It does not fit into the cookie.
            SessionStoreError: The store cannot be reached.
        """
        session = self.session
        if not self._must_save():
            return
        self._session_saved = True
        name = self._session_option("cookie_name", "session")
        max_age_s = self._max_age_s
        store = self._session_store
        if isinstance(store, CookieStore):
            self._save_cookie(name, max_age_s)
            return
        old = session.id
        if old is not None and not session._ended:
            kept = await store.load(key_of(old))
            if kept is not None:
                session.merge(kept)
            elif not session._rotated:
                # It was ended while this request ran. Saving it would undo the logging out.
                gen_log.debug("A session ended before a request in it did; nothing is saved")
                return
        if old is not None and (session._rotated or session._ended):
            await store.delete(key_of(old))
            session.id = None
        if session._ended and not session:
            self.clear_cookie(name, **self._cookie_place())
            return
        if session.id is None:
            session.id = secrets.token_urlsafe(_ID_BYTES)
        await store.save(key_of(session.id), session.encoded(), max_age_s)
        self.set_cookie(name, session.id, max_age=max_age_s, **self._cookie_attributes())

    def _save_cookie(self, name: str, max_age_s: int) -> None:
        session = self.session
        if not session:
            self.clear_cookie(name, **self._cookie_place())
            return
        signed = self.create_signed_value(name, session.encoded())
        if len(signed) > LARGEST_COOKIE:
            raise SessionTooLargeError(
                f"the session has {len(signed)} bytes, and a cookie takes {LARGEST_COOKIE}; "
                "keep less in it, or use a store on the server"
            )
        self.set_cookie(name, signed, max_age=max_age_s, **self._cookie_attributes())

    def _cookie_place(self) -> dict[str, Any]:
        return {
            "path": self._session_option("path", "/"),
            "domain": self._session_option("domain", None),
        }

    def _cookie_attributes(self) -> dict[str, Any]:
        return {
            **self._cookie_place(),
            "httponly": True,
            "secure": self.exchange.scheme == "https",
            "samesite": self._session_option("samesite", "Lax"),
        }

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Any:
        """Save the session, then end the answer; await it to know that both have happened."""
        if not self._must_save():
            return super().finish(chunk)
        if self._headers_written or self._finished:
            if self.session.is_changed():
                gen_log.warning("The session was changed after the head was sent; it is lost")
            return super().finish(chunk)
        if chunk is not None:
            self.write(chunk)
        self._auto_finish = False
        return start_task(asyncio.get_running_loop(), self._save_and_finish())

    def _must_save(self) -> bool:
        if self._session_saved or not hasattr(self, "session"):
            return False
        try:
            if self.session.is_changed():
                return True
            sliding = self._session_option("sliding", True)
            return bool(sliding and self.session.is_due(self._max_age_s))
        except Exception:
            # What cannot be encoded is an error once; the page of that error must go out.
            self._session_saved = True
            raise

    async def _save_and_finish(self) -> None:
        try:
            await self.save_session()
        except SessionStoreError as exc:
            gen_log.error("%s", exc)
            self._session_saved = True
            self.send_error(503)
            return
        except Exception:  # noqa: BLE001 - the boundary: the client must get an answer
            gen_log.exception("The session could not be saved")
            self._session_saved = True
            self.send_error(500)
            return
        super().finish()


def _session(session_id: str, data: bytes | None) -> Session:
    if data is None:
        return Session()
    try:
        return Session(session_id, _decode(data))
    except (msgspec.DecodeError, RecursionError):
        gen_log.warning("A session's data cannot be read, and is forgotten: %.40r", utf8(data))
        return Session()
