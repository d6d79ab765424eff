"""Server-sent events through the real engine."""

import asyncio
import json
import random
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall import Application, HTTPError
from eyewall.pubsub import Hub, Retention
from eyewall.realtime.events import Event, encode_event
from eyewall.realtime.sse import EventSourceHandler
from tests.conftest import Live


def parsed(text):
    """The events that a client makes of a stream, by the standard's words (section 9.2.6)."""
    events, last_id, retry = [], "", None
    data, kind = [], ""
    for line in re.split("\r\n|\r|\n", text):
        if line == "":
            if data:
                events.append((kind or "message", "\n".join(data), last_id))
            data, kind = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            retry = int(value)
    return events, last_id, retry


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@given(TEXT, st.none() | LINE, st.none() | LINE, st.none() | st.integers(0, 10**9))
def test_a_client_reads_what_was_written(data, kind, name, retry):
    sent = encode_event(Event(data, event=kind, id=name, retry_ms=retry)).decode()
    lines = re.sub("\r\n|\r", "\n", data)
    assert parsed(sent) == ([(kind or "message", lines, name or "")], name or "", retry)


@pytest.mark.parametrize(
    "bad", [Event("x", event="a\nb"), Event("x", id="a\rb"), Event("x", id="a\0b")]
)
def test_what_would_break_out_of_its_line_is_refused(bad):
    with pytest.raises(ValueError, match="one line|NUL"):
        encode_event(bad)


def test_anything_else_is_json_and_none_is_a_heartbeat():
    assert encode_event({"a": "x\n"}) == b'data: {"a":"x\\n"}\n\n'
    assert encode_event(None) == b":\n\n"
    assert encode_event(Event(id="7")) == b"id: 7\n\n"


class Client:
    """A reader of one stream."""

    def __init__(self, peer):
        self.peer = peer
        self.text = ""
        self.unpack = None

    @classmethod
    async def get(cls, live, path="/", **headers):
        client = cls(await live.connect())
        lines = [f"GET {path} HTTP/1.1", "Host: h.example"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        client.peer.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        raw = await client.peer.reader.readuntil(b"\r\n\r\n")
        first, *fields = raw.decode().split("\r\n")[:-2]
        client.status = int(first.split()[1])
        client.headers = {f.partition(": ")[0].lower(): f.partition(": ")[2] for f in fields}
        if client.headers.get("content-encoding") == "gzip":
            client.unpack = zlib.decompressobj(31)
        return client

    async def chunk(self):
        """The next piece, "" at the end."""
        size = int(await self.peer.reader.readuntil(b"\r\n"), 16)
        data = (await self.peer.reader.readexactly(size + 2))[:-2]
        text = (self.unpack.decompress(data) if self.unpack else data).decode()
        self.text += text
        return text

    async def until(self, text):
        """The events up to one that has this text."""
        while text not in self.text:
            assert await self.chunk()
        return [(kind, data) for kind, data, _ in parsed(self.text)[0]]

    async def end(self):
        while await self.chunk():
            pass

    @property
    def id(self):
        return parsed(self.text)[1]

    async def close(self):
        await self.peer.close()


@pytest.fixture
def stream(run):
    """Runs a test with a server of these handlers, and a function that opens a stream."""

    def stream(main, *handlers, hub=None, **settings):
        async def served():
            app = Application(list(handlers), access_log=False, **settings)
            live = Live(app)
            clients = []

            async def get(path="/", **headers):
                clients.append(await Client.get(live, path, **headers))
                return clients[-1]

            try:
                await main(get)
            finally:
                for client in clients:
                    await client.close()
                if hub is not None:
                    await hub.close()
                live.close()

        run(served)

    return stream


def test_events_of_a_generator_arrive_as_they_are_made(stream):
    class Count(EventSourceHandler):
        retry_ms = 1500

        async def events(self, start):
            yield Event({"n": int(start)}, event="count", id="a1")
            yield "two\nlines"
            await go_on.wait()
            yield b"three"

    go_on = asyncio.Event()

    async def main(get):
        client = await get("/5")
        assert client.headers["content-type"] == "text/event-stream"
        assert client.headers["cache-control"] == "no-cache"
        assert client.headers["x-accel-buffering"] == "no"
        assert await client.until("lines\n\n") == [("count", '{"n":5}'), ("message", "two\nlines")]
        go_on.set()
        await client.end()
        events, last, retry = parsed(client.text)
        assert events[2:] == [("message", "three", "a1")]
        assert (last, retry) == ("a1", 1500)

    stream(main, (r"/(\d)", Count))


def test_the_id_that_the_client_got_last_is_known(stream):
    class Echo(EventSourceHandler):
        async def events(self):
            yield {"last": self.last_event_id}

    async def main(get):
        for path, headers, expected in (
            ("/", {}, None),
            ("/", {"Last_Event_ID": "abc"}, "abc"),
            ("/?last-event-id=7", {}, "7"),
            ("/?last-event-id=7", {"Last_Event_ID": "8"}, "8"),
        ):
            client = await get(path, **headers)
            await client.end()
            assert json.loads(parsed(client.text)[0][0][1]) == {"last": expected}

    stream(main, ("/", Echo))


def test_a_quiet_stream_sends_heartbeats(stream):
    class Quiet(EventSourceHandler):
        heartbeat_s = 0.01

        async def events(self):
            await asyncio.Event().wait()
            yield None

    async def main(get):
        client = await get()
        for _ in range(4):
            assert await client.chunk() == ":\n\n"

    stream(main, ("/", Quiet))


def test_a_generator_is_closed_when_its_client_goes(stream):
    closed, told = asyncio.Event(), asyncio.Event()

    class Wait(EventSourceHandler):
        async def events(self):
            try:
                yield "one"
                await asyncio.Event().wait()
            finally:
                closed.set()

        def on_connection_close(self):
            told.set()

    async def main(get):
        client = await get()
        await client.until("one")
        await client.close()
        await closed.wait()
        await told.wait()

    stream(main, ("/", Wait))


def test_a_client_can_be_refused_before_the_stream_begins(stream):
    class Refuse(EventSourceHandler):
        def prepare(self):
            raise HTTPError(403)

    async def main(get):
        assert (await get()).status == 403

    stream(main, ("/", Refuse))


def test_a_generator_that_fails_is_logged_and_cuts_the_stream(stream, caplog):
    class Fail(EventSourceHandler):
        async def events(self):
            yield "one"
            raise ZeroDivisionError

    async def main(get):
        client = await get()
        await client.until("one")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.end()

    stream(main, ("/", Fail))
    assert "ZeroDivisionError" in caplog.text


def test_a_handler_without_events_is_named(stream, caplog):
    async def main(get):
        assert (await get()).status == 500

    stream(main, ("/", EventSourceHandler))
    assert "must define events(), or topics() and hub" in caplog.text


def news(hub_, **members):
    return type(
        "News",
        (EventSourceHandler,),
        {"hub": hub_, "topics": lambda self, *topics: topics or ("news/*",), **members},
    )


@pytest.mark.parametrize("compressed", [False, True])
def test_messages_of_topics_reach_all_clients(stream, compressed):
    hub = Hub()
    headers = {"Accept_Encoding": "gzip"} if compressed else {}

    async def main(get):
        clients = [await get(**headers) for _ in range(3)]
        for client in clients:
            assert client.headers.get("content-encoding") == ("gzip" if compressed else None)
            await client.until("id: ")
        for n in range(3):
            hub.publish("news/a", {"n": n})
            for client in clients:
                # Each is there before the next is published: compression keeps nothing back.
                expected = [("message", f'{{"n":{i}}}') for i in range(n + 1)]
                assert await client.until(f'"n":{n}}}\n\n') == expected

    stream(main, ("/", news(hub)), hub=hub, compress_response=compressed)


def test_who_comes_back_gets_what_was_missed_and_then_what_is_new(stream):
    hub = Hub()

    async def main(get):
        client = await get()
        await client.until("id: ")
        hub.publish("news/a", 1)
        await client.until("data: 1\n\n")
        await client.close()
        hub.publish("news/b", 2)
        again = await get(Last_Event_ID=client.id)
        await again.until("data: 2\n\n")
        hub.publish("news/a", 3)
        assert await again.until("data: 3\n\n") == [("message", "2"), ("message", "3")]

    stream(main, ("/", news(hub)), hub=hub)


def test_a_client_that_was_lost_before_the_first_message_misses_nothing(stream):
    hub = Hub()

    async def main(get):
        client = await get()
        await client.until("id: ")
        await client.chunk() if "\n\n" not in client.text else None
        await client.close()
        hub.publish("news/a", 1)
        again = await get(Last_Event_ID=client.id)
        assert await again.until("data: 1") == [("message", "1")]

    stream(main, ("/", news(hub)), hub=hub)


@pytest.mark.parametrize("forged", ["x", "a-1", "é", "../..", "9" * 5000, "0-" + "9" * 17])
def test_a_forged_id_is_a_gap_and_no_error(stream, forged, caplog):
    hub = Hub()

    async def main(get):
        await hub.publish("news/a", 1)
        client = await get(Last_Event_ID=forged)
        events = await client.until("data: 1")
        assert events == [("gap", '{"reason":"epoch"}'), ("message", "1")]

    stream(main, ("/", news(hub)), hub=hub)
    assert not caplog.records


def test_no_message_is_lost_or_doubled_while_clients_come_and_go(stream):
    hub = Hub(history=Retention(1000))

    async def main(get):
        async def publish():
            for n in range(300):
                hub.publish("news/a", n)
                await asyncio.sleep(0)
            hub.publish("news/a", "end")

        publishing = asyncio.ensure_future(publish())
        first = await get()
        await first.until("id: ")
        clients = [first]
        for _ in range(10):
            last = await get(Last_Event_ID=first.id)
            clients.append(last)
        await publishing
        for client in clients:
            numbers = [data for _, data in await client.until('"end"\n\n')][:-1]
            assert numbers == [str(n) for n in range(int(numbers[0]), 300)]
        for client in clients[1:]:
            assert client.text.count("event: gap") == 0

    stream(main, ("/", news(hub)), hub=hub)


def test_clients_that_go_leave_nothing_behind(stream):
    hub = Hub()

    async def main(get):
        clients = [await get() for _ in range(3)]
        for client in clients:
            await client.until("id: ")
        assert len(hub._groups) == 1
        for client in clients:
            await client.close()
        while len(hub._groups):
            await asyncio.sleep(0)

    stream(main, ("/", news(hub)), hub=hub)


def test_heartbeats_reach_the_clients_of_topics(stream):
    hub = Hub()

    async def main(get):
        client = await get()
        for _ in range(5):
            await client.chunk()
        assert client.text.endswith(":\n\n")

    stream(main, ("/", news(hub, heartbeat_s=0.01)), hub=hub)


@pytest.mark.parametrize("compressed", [False, True])
def test_clients_of_several_topics_may_get_the_topic_too(stream, compressed):
    hub = Hub()
    headers = {"Accept_Encoding": "gzip"} if compressed else {}

    async def main(get):
        clients = [await get(**headers), await get(**headers)]
        for client in clients:
            await client.until("id: ")
        position = await hub.publish("news/b", [1])
        for client in clients:
            [(_, data)] = await client.until("[1]}\n\n")
            assert json.loads(data) == {"id": str(position), "topic": "news/b", "data": [1]}

    stream(main, ("/", news(hub, envelope=True)), hub=hub, compress_response=compressed)


def test_a_closed_hub_ends_the_streams(stream):
    hub = Hub()

    async def main(get):
        clients = [await get() for _ in range(3)]
        for client in clients:
            await client.until("id: ")
        await hub.close()
        for client in clients:
            await client.end()

    stream(main, ("/", news(hub)), hub=hub)


@pytest.mark.parametrize("source", ["topics", "generator"])
def test_a_server_that_goes_away_ends_its_streams_and_says_when_to_come_back(stream, source):
    hub = Hub()

    class Wait(EventSourceHandler):
        async def events(self):
            leaving.append(self.application.leave)
            yield "one"
            await asyncio.Event().wait()

    class Follow(news(hub)):
        def prepare(self):
            leaving.append(self.application.leave)

    leaving = []

    async def main(get):
        clients = [await get(), await get()]
        for client in clients:
            await client.until("one" if source == "generator" else "id: ")
        leaving[0]()
        for client in clients:
            await client.end()
            assert 0 <= parsed(client.text)[2] <= 10_000
        late = await get()
        await late.end()

    stream(main, ("/", Wait if source == "generator" else Follow), hub=hub)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_client_that_never_reads_is_cut_off_and_disturbs_nobody(stream, compressed):
    hub = Hub(history=Retention(0))
    headers = {"Accept_Encoding": "gzip"} if compressed else {}

    cut = asyncio.Event()
    noise = random.Random(7)

    async def main(get):
        stuck, other = await get("/stuck", **headers), await get(**headers)
        await stuck.until("id: ")
        await other.until("id: ")
        stuck.peer.writer.transport.pause_reading()
        n = 0
        while not cut.is_set():
            hub.publish("news/a", f"{n} {noise.randbytes(100_000).hex()}")
            await other.until(f'"{n} ')
            other.text = ""
            n += 1
        hub.publish("news/a", "last")
        await other.until('"last"')
        stuck.peer.writer.transport.resume_reading()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await stuck.end()

    handlers = (
        ("/stuck", news(hub, on_connection_close=lambda self: cut.set())),
        ("/", news(hub)),
    )
    stream(main, *handlers, hub=hub, compress_response=compressed)
