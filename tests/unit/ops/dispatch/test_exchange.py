"""A dispatched request by itself: windows, repetitions, and clients that go, frame by frame."""

import pytest

from eyewall.http.engine import ProtocolError, StreamClosedError
from eyewall.ops.dispatch.exchange import DispatchedExchange
from eyewall.ops.dispatch.wire import WINDOW, Frame, FrameError, Head


class Worker:
    """Keeps what is said, in place of a connection to Redis."""

    name = "worker-1"

    def __init__(self):
        self.said = []
        self.ended = []

    def say(self, front, frame):
        self.said.append(frame)

    def finish(self, exchange, last):
        self.ended.append(last)


def exchange_of(worker, method="GET", mode="none", body=b"", headers=()):
    head = Head(method, "/a?b", "HTTP/1.1", "http", "h", "::1", list(headers), None, mode)
    return DispatchedExchange(worker, b"1-0", "r", "front-1", head, body)


def frame(number, kind, data=b"", **more):
    return Frame(kind, "r", "front-1", number, data, more)


def test_a_small_answer_is_one_frame_and_its_end():
    worker = Worker()
    exchange = exchange_of(worker)
    assert exchange.respond(201, {"A": "b"}, "text") == 4
    [last] = worker.ended
    assert (last.kind, last.data) == ("answer", b"text")
    assert last.more == {"status": 201, "reason": None, "headers": [("A", "b")]}
    with pytest.raises(RuntimeError, match="answered already"):
        exchange.respond(200, {}, b"")


def test_no_more_than_the_window_is_sent_before_there_is_room():
    worker = Worker()
    exchange = exchange_of(worker)
    exchange.start(200, {})
    told = []
    assert exchange.write(b"x" * (WINDOW + 300_000)) is False
    assert exchange.when_writable(told.append) is False
    exchange.end()
    sent = sum(len(each.data) for each in worker.said)
    assert sent == WINDOW
    assert worker.ended == []
    exchange.hear(frame(1, "room", bytes=WINDOW))
    assert sum(len(each.data) for each in worker.said) == WINDOW + 300_000
    assert told == [None]
    assert [last.kind for last in worker.ended] == ["end"]


def test_a_frame_that_was_sent_twice_counts_once():
    worker = Worker()
    exchange = exchange_of(worker, "POST", "pieces")
    read = []
    assert exchange.read_all(read.append) is None
    for _ in range(2):
        exchange.hear(frame(1, "piece", b"once"))
    exchange.hear(frame(2, "end", trailers=[["T", "v"]]))
    assert read == [b"once"]
    assert exchange.trailers == [("T", "v")]


def test_the_front_hears_of_room_as_the_body_is_taken():
    worker = Worker()
    exchange = exchange_of(worker, "POST", "pieces")
    exchange.hear(frame(1, "piece", b"12345"))
    assert worker.said == []
    assert exchange.read(print) == b"12345"
    assert [each.more for each in worker.said] == [{"bytes": 5}]


def test_a_body_over_the_limit_is_refused():
    exchange = exchange_of(Worker(), "POST", "pieces")
    exchange.set_body_limit(4)
    exchange.hear(frame(1, "piece", b"12345"))
    with pytest.raises(ProtocolError) as caught:
        exchange.read(print)
    assert caught.value.status == 413
    whole = exchange_of(Worker(), "POST", "whole", b"12345")
    whole.set_body_limit(4)
    with pytest.raises(ProtocolError):
        whole.read_all(print)


def test_a_body_that_breaks_off_says_why():
    exchange = exchange_of(Worker(), "POST", "pieces")
    read = []
    assert exchange.read(read.append) is None
    exchange.hear(frame(1, "broken", status=408, text="too slow"))
    assert [(type(error), error.status) for error in read] == [(ProtocolError, 408)]


def test_a_client_that_goes_is_told_to_all_who_wait():
    worker = Worker()
    exchange = exchange_of(worker)
    told, gone = [], []
    exchange.on_disconnect(lambda: gone.append(True))
    exchange.start(200, {})
    exchange.write(b"x" * (2 * WINDOW))
    exchange.when_writable(told.append)
    for _ in range(2):
        exchange.hear(frame(0, "gone"))
    assert gone == [True]
    assert [type(error) for error in told] == [StreamClosedError]
    assert exchange.connected is False
    with pytest.raises(StreamClosedError):
        exchange.write(b"more")
    assert len(worker.ended) == 1


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x", "a\0", "a\n"])
def test_no_field_can_split_the_answer(value):
    worker = Worker()
    exchange = exchange_of(worker)
    with pytest.raises(ValueError, match="no field may have"):
        exchange.respond(200, {"A": value}, b"")
    assert exchange.responded is False
    assert worker.ended == []


def test_frames_of_no_kind_are_refused():
    with pytest.raises(FrameError, match="dance"):
        exchange_of(Worker()).hear(frame(1, "dance"))


@pytest.mark.parametrize(
    ("missing", "status"),
    [("Upgrade", 426), ("Connection", 426), ("Sec-WebSocket-Version", 426), ("Sec-WebSocket-Key", 400)],
)  # fmt: skip
def test_what_is_no_opening_handshake_is_refused(missing, status):
    fields = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    del fields[missing]
    exchange = exchange_of(Worker(), headers=fields.items())
    with pytest.raises(ProtocolError) as caught:
        exchange.upgrade_websocket({}, print, print)
    assert caught.value.status == status
    assert exchange.responded is False
