"""Serves the status page, its event stream and its buttons."""

import asyncio
import base64
import hmac
import ipaddress
import json
from contextlib import suppress
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, final

from eyewall.base.log import gen_log
from eyewall.http.exchange import Exchange
from eyewall.ops.messages import PeerError
from eyewall.ops.status.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX: Final = "/_eyewall/"
_PAUSE_S: Final = 1.0
_MOST_READERS: Final = 50
_MOST_BODY: Final = 4096
_DEEDS: Final = frozenset({"suspend", "resume", "reload"})
_KINDS: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_FIELDS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PLAIN: Final = {**_FIELDS, "Content-Type": "text/plain; charset=UTF-8"}
_JSON: Final = {**_FIELDS, "Content-Type": "application/json"}


def _asset(name: str) -> bytes:
    return (resources.files("eyewall.ops.status") / "assets" / name).read_bytes()


@final
class StatusPage:
    """The page; it loads nothing from elsewhere.

    Without a password it answers only who asks for this machine by an address or as localhost,
    so that no site can reach it through a name of its own. What changes something needs a header
    that pages of other origins cannot send.

    Args:
        feed: What it shows.
        password: Asked for, with any user name (RFC 7617); None asks for none.
    """

    def __init__(self, feed: Feed, password: str | None) -> None:
        self._feed = feed
        self._password = password
        self._readers: set[Exchange] = set()
        self._full: set[Exchange] = set()
        self._feeding: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._files = {
            PREFIX: ("html", _asset("page.html")),
            f"{PREFIX}page.js": ("js", _asset("page.js")),
            f"{PREFIX}page.css": ("css", _asset("page.css")),
        }

    def __call__(self, exchange: Exchange) -> bool:
        """Serve a request that is for the page; False for one that is not."""
        path = exchange.path
        known: dict[str, Callable[[Exchange], None]] = {
            f"{PREFIX}events": self._subscribe,
            f"{PREFIX}do": self._act,
            **dict.fromkeys(self._files, self._send_file),
        }
        answer = known.get(path)
        if answer is None:
            return False
        if not self._is_allowed(exchange):
            return True
        answer(exchange)
        return True

    def _is_allowed(self, exchange: Exchange) -> bool:
        if self._password is not None:
            if _password_of(exchange.header("Authorization"), self._password):
                return True
            fields = {**_PLAIN, "WWW-Authenticate": 'Basic realm="Eyewall", charset="UTF-8"'}
            exchange.respond(401, fields, "the password is that of --admin-password\n")
            return False
        if _is_direct(exchange.host):
            return True
        exchange.respond(403, _PLAIN, "ask for an address or for localhost\n")
        return False

    def _send_file(self, exchange: Exchange) -> None:
        kind, content = self._files[exchange.path]
        if exchange.method not in {"GET", "HEAD"}:
            exchange.respond(405, {**_PLAIN, "Allow": "GET, HEAD"}, "use GET\n")
            return
        exchange.respond(
            200, {**_FIELDS, "Content-Type": f"{_KINDS[kind]}; charset=UTF-8"}, content
        )

    # The event stream (HTML, section 9.2)

    def _subscribe(self, exchange: Exchange) -> None:
        if len(self._readers) >= _MOST_READERS:
            exchange.respond(503, {**_PLAIN, "Retry-After": "10"}, "too many look already\n")
            return
        exchange.start(200, {**_FIELDS, "Content-Type": "text/event-stream"})
        self._readers.add(exchange)
        exchange.on_disconnect(partial(self._left, exchange))
        if self._feeding is None or self._feeding.done():
            self._feeding = asyncio.ensure_future(self._feed_readers())

    async def _feed_readers(self) -> None:
        """Send all readers the same, once a second, while there are any."""
        while self._readers:
            try:
                event = f"data: {json.dumps(await self._feed.snapshot())}\n\n"
            except Exception:  # noqa: BLE001 - the page says so, and the next second is another one
                gen_log.exception("The status page could not be fed")
                event = "event: trouble\ndata: the server could not be asked; its log says why\n\n"
            data = event.encode()
            for reader in list(self._readers):
                self._send(reader, data)
            await asyncio.sleep(_PAUSE_S)

    def _send(self, reader: Exchange, data: bytes) -> None:
        if reader in self._full:
            # A slow reader misses seconds; each event holds all there is to know.
            return
        try:
            if not reader.write(data) and not reader.when_writable(partial(self._emptied, reader)):
                self._full.add(reader)
        except (OSError, RuntimeError):
            self._left(reader)

    def _emptied(self, reader: Exchange, error: Exception | None) -> None:
        self._full.discard(reader)
        if error is not None:
            self._left(reader)

    def _left(self, reader: Exchange) -> None:
        self._readers.discard(reader)
        self._full.discard(reader)

    async def close(self) -> None:
        """End all streams."""
        for reader in list(self._readers):
            with suppress(OSError, RuntimeError):
                reader.end()
        self._readers.clear()
        tasks = [*self._tasks, *([self._feeding] if self._feeding else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What its buttons do

    def _act(self, exchange: Exchange) -> None:
        if exchange.method != "POST" or exchange.header("X-Eyewall") != "1":
            exchange.respond(403, _PLAIN, "only the page itself may ask for that\n")
            return

        def arrived(body: bytes | Exception) -> None:
            if isinstance(body, bytes):
                self._begin(exchange, body)

        exchange.set_body_limit(_MOST_BODY)
        try:
            body = exchange.read_all(arrived)
        except Exception as exc:  # noqa: BLE001 - a body that is too long or broken
            exchange.respond(getattr(exc, "status", 400), _PLAIN, f"{exc}\n")
            return
        if body is not None:
            self._begin(exchange, body)

    def _begin(self, exchange: Exchange, body: bytes) -> None:
        try:
            verb = json.loads(body)["do"]
        except (ValueError, TypeError, KeyError, RecursionError):
            verb = None
        if not isinstance(verb, str) or verb not in _DEEDS:
            exchange.respond(400, _PLAIN, f"do is one of {', '.join(sorted(_DEEDS))}\n")
            return
        task = asyncio.ensure_future(self._do(exchange, verb))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, exchange: Exchange, verb: str) -> None:
        gen_log.info("The status page asks to %s", verb)
        try:
            answer: Any = await self._feed.ask(verb)
        except PeerError as exc:
            exchange.respond(409, _JSON, json.dumps({"error": str(exc)}))
        else:
            exchange.respond(200, _JSON, json.dumps({"ok": answer}, default=str))


def _password_of(field: str | None, password: str) -> bool:
    """Whether an `Authorization` field has the password."""
    scheme, _, token = (field or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(given.partition(b":")[2], password.encode())


def _is_direct(host: str) -> bool:
    """Whether a `Host` is this machine's own, and not a name that somebody has pointed here."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").lower()
    if name in {"", "localhost"}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
