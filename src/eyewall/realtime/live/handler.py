"""The one address of a page's connection: WebSocket, event stream, polling, and commands by POST.

One-way transports keep nothing in the server between two requests: a client says in each which
topics it wants and the last id that it has. So it does not matter which worker answers.
"""

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec

from eyewall.base.log import gen_log
from eyewall.pubsub import BackplaneError
from eyewall.pubsub.client import HubClient
from eyewall.realtime.live.errors import RefusedError
from eyewall.realtime.live.frames import (
    MOST_FRAME_BYTES,
    Subscribe,
    decode_frame,
    decode_subscriptions,
)
from eyewall.realtime.live.session import Session
from eyewall.realtime.live.stream import HEARTBEAT, FrameStream
from eyewall.realtime.websocket.errors import WebSocketClosedError
from eyewall.realtime.websocket.handler import WebSocketHandler
from eyewall.web import HTTPError
from eyewall.web.engine import StreamClosedError
from eyewall.web.rate_limit import by_address

if TYPE_CHECKING:
    from eyewall.realtime.live.live import Live

_HEARTBEAT_S: Final = 20.0
_POLL_S: Final = 25.0
_LONGEST_POLL_S: Final = 55.0
# A client that polls comes back within that time, and is seen by others meanwhile.
_LINGER_S: Final = 5.0
_COMMANDS: Final = {"publish", "send", "history", "ping"}


class LiveHandler(WebSocketHandler):
    """Connects a page with the topics of a `Live`."""

    max_body_size = MOST_FRAME_BYTES
    _session: Session | None = None
    _client_name: str = ""

    def initialize(self, live: "Live") -> None:  # type: ignore[override]  # the route's arguments
        """Set the rules."""
        self._live = live

    async def prepare(self) -> None:
        """Find out who asks.

        Raises:
            HTTPError: 403: a page of another site, or a token that is none.
        """
        origin = self.exchange.header("Origin")
        if origin is not None and not self.check_origin(origin):
            raise HTTPError(403, "a page of %s may not connect", origin)
        token = self.get_query_argument("token", None)
        if token is not None:
            self.hide_query()
        try:
            if token is not None:
                self._identity = await self._live.authenticated(token)
            else:
                self._identity = await self._live.identified(self)
        except RefusedError as exc:
            raise HTTPError(403, "%s", exc) from exc

    @property
    def max_message_size(self) -> int:
        """Frames are small."""
        return MOST_FRAME_BYTES

    def check_xsrf_cookie(self) -> None:
        """Nothing: pages of other sites are refused by their origin."""

    def _begin(self, send: Any) -> Session:
        live = self._live
        client = HubClient(live.hub, self._identity, live.access, limits=live.limits)
        if live.name is not None:
            name = live.name(self._identity)
        elif self._identity is not None:
            name = str(self._identity)
        else:
            # A page that has lost its connection is still the same somebody.
            name = self.get_query_argument("as", "")[:64] or secrets.token_urlsafe(12)
        self._session = Session(live, client, name, send)
        return self._session

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Begin a WebSocket, an event stream or a poll.

        Raises:
            HTTPError: 400: topics that are not understood, or another transport.
        """
        if self.exchange.header("Upgrade") is not None or self.exchange.method == "CONNECT":
            return super().get(*args, **kwargs)
        by = self.get_query_argument("by", "")
        if by not in {"events", "poll"}:
            raise HTTPError(400, "the transport %.20r is neither events nor poll", by)
        try:
            wanted = decode_subscriptions(self.get_query_argument("topics"))
        except ValueError as exc:
            raise HTTPError(400, "topics: %s", exc) from exc
        self.set_header("Cache-Control", "no-store")
        return self._events(wanted) if by == "events" else self._poll(wanted)

    # -- WebSocket

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """The WebSocket is open."""
        self._begin(self._send_frame)

    def _send_frame(self, frame: bytes) -> None:
        try:
            self.write_message(frame, binary=False)  # type: ignore[unused-awaitable]
        except WebSocketClosedError:
            return

    async def on_message(self, message: str | bytes) -> None:
        """Obey a frame."""
        session = self._session
        if session is None:
            return
        try:
            frame = decode_frame(message)
        except ValueError as exc:
            gen_log.warning("A live connection was closed: %s", exc)
            self.close(1007, "a frame that is none")
            return
        answer = await session.handle(frame)
        if answer is not None:
            self._send_frame(answer)

    def on_close(self) -> None:
        """The WebSocket is over."""
        self._over()

    def _over(self, linger_s: float = 0.0) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close(linger_s)

    # -- event stream

    async def _events(self, wanted: list[Subscribe]) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        # Frames are small, and must not wait in a compressor.
        self._transforms = None
        self.write(HEARTBEAT)
        try:
            await self.flush()
            stream = FrameStream(self.exchange)
            session = self._begin(stream.send)
            for frame in wanted:
                answer = await session.handle(frame)
                if answer is not None:
                    stream.send(answer)
            await stream.until_over(_HEARTBEAT_S)
        except StreamClosedError:
            pass
        finally:
            self._over(_LINGER_S)
        if not self._finished:
            self.finish()

    # -- polling

    async def _poll(self, wanted: list[Subscribe]) -> None:
        seconds = self.get_query_argument("wait", str(_POLL_S))
        try:
            wait_s = min(max(float(seconds), 0.0), _LONGEST_POLL_S)
        except ValueError as exc:
            raise HTTPError(400, "wait: %.20r is no number", seconds) from exc
        frames: list[bytes] = []
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        settled = False

        def send(frame: bytes) -> None:
            frames.append(frame)
            if not news.done() and (settled or not frame.startswith(b'{"ok"')):
                news.set_result(None)

        def gone() -> None:
            if not news.done():
                news.set_result(None)

        self.exchange.on_disconnect(gone)
        session = self._begin(send)
        try:
            for frame in wanted:
                answer = await session.handle(frame)
                if answer is not None:
                    send(answer)
            settled = True
            # Who has no id yet, or does not know who is there, is told at once.
            if not any(frame.since is None or frame.now for frame in wanted):
                await asyncio.wait({news}, timeout=wait_s)
                # What comes in the same moment comes along.
                await asyncio.sleep(0)
        finally:
            self._over(_LINGER_S)
        if self.exchange.connected:
            self.set_header("Content-Type", "application/json")
            self._own_etag = _no_etag
            self.finish(b"[%b]" % b",".join(frames))
        else:
            self.finish()

    # -- commands of the one-way transports

    async def post(self) -> None:
        """Obey a frame that is no subscription.

        Raises:
            HTTPError: 415 for what is no JSON, 400 for what is no such frame, 503 without a hub.
        """
        kind = (self.exchange.header("Content-Type") or "").partition(";")[0].strip()
        if kind.lower() != "application/json":
            # Pages of other sites cannot send JSON without having been asked.
            raise HTTPError(415, "a frame is application/json, not %.60r", kind)
        try:
            frame = decode_frame(self.request.body)
        except ValueError as exc:
            raise HTTPError(400, "%s", exc) from exc
        if type(frame).__name__.lower() not in _COMMANDS:
            raise HTTPError(400, "%s needs a connection", type(frame).__name__.lower())
        limits = self._live.limits
        who = str(self._identity) if self._identity is not None else by_address(self)
        if not self._live.may_command(who):
            raise HTTPError(429, "more than %g frames a second", limits.publishes_per_s)
        session = self._begin(lambda _: None)
        try:
            answer = await session.handle(frame)
        except BackplaneError as exc:
            raise HTTPError(503, "%s", exc) from exc
        finally:
            self._over()
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(answer or msgspec.json.encode(None))


def _no_etag(_body: bytes) -> None:
    return None
