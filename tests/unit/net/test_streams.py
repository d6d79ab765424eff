"""What all kinds of streams do: sockets, TLS and pipes, on asyncio and uvloop."""

import asyncio
import re

import pytest

from eyewall.net.errors import (
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
)


async def closing(stream):
    """Wait until a stream has closed."""
    closed = asyncio.Event()
    stream.set_close_callback(closed.set)
    await closed.wait()


def test_each_read_takes_its_own_part(go, make_pair):
    async def main():
        reader, writer = make_pair()
        writer.write(b"line\nkey: value\r\n\r\n12345rest")
        assert await reader.read_until(b"\n") == b"line\n"
        assert await reader.read_until_regex(rb"\r?\n\r?\n") == b"key: value\r\n\r\n"
        assert await reader.read_bytes(5) == b"12345"
        assert await reader.read_bytes(100, partial=True) == b"rest"
        buffer = bytearray(4)
        reading = reader.read_into(buffer)
        assert reader.reading()
        await writer.write(b"ab")
        await writer.write(b"cdef")
        assert await reading == 4
        assert not reader.reading()
        assert buffer == b"abcd"
        # Nothing holds the caller's memory any more.
        buffer.clear()
        assert await reader.read_into(bytearray(9), partial=True) == 2
        assert await reader.read_bytes(0) == b""
        writer.write(b"the end")
        writer.close()
        assert await reader.read_until_close() == b"the end"
        assert await reader.read_until_close() == b""
        assert reader.closed()
        assert reader.error is None

    go(main)


def test_a_delimiter_may_arrive_in_pieces(go, make_pair):
    async def main():
        reader, writer = make_pair()
        reading = reader.read_until(b"\r\n\r\n")
        for byte in b"a\r\n\rb\r\n\r\n":
            await writer.write(bytes([byte]))
        assert await reading == b"a\r\n\rb\r\n\r\n"
        reader.close()
        writer.close()

    go(main)


def test_a_stream_that_never_delimits_is_closed_with_the_reason(go, make_pair):
    async def main():
        for limits, options, reason in [
            ({"max_bytes": 1000}, {}, UnsatisfiableReadError),
            ({}, {"max_buffer_size": 100_000}, StreamBufferFullError),
        ]:
            reader, writer = make_pair(**options)
            reading = reader.read_until(b"\n", **limits)
            writer.write(b"x" * 400_000)
            with pytest.raises(StreamClosedError) as caught:
                await reading
            assert isinstance(caught.value.real_error, reason)
            assert isinstance(reader.error, reason)
            with pytest.raises(StreamClosedError):
                reader.read_bytes(1)
            writer.close()

    go(main)


def test_a_match_that_ends_too_late_is_none(go, make_pair):
    async def main():
        for read in ("read_until", "read_until_regex"):
            reader, writer = make_pair()
            writer.write(b"123456\n")
            assert await getattr(reader, read)(b"\n", max_bytes=7) == b"123456\n"
            writer.write(b"1234567\n")
            with pytest.raises(StreamClosedError):
                await getattr(reader, read)(b"\n", max_bytes=7)
            writer.close()

    go(main)


def test_a_peer_that_goes_in_the_middle_of_a_read_closes_the_stream(go, make_pair):
    async def main():
        reader, writer = make_pair()
        closed = asyncio.ensure_future(closing(reader))
        reading = reader.read_bytes(100)
        await writer.write(b"only this")
        writer.close()
        with pytest.raises(StreamClosedError):
            await reading
        await closed
        assert reader.closed()

    go(main)


def test_what_came_before_the_end_can_be_read_after_it(go, make_pair):
    async def main():
        reader, writer = make_pair()
        writer.write(b"abc")
        assert await reader.read_bytes(1) == b"a"
        writer.close()
        assert await reader.read_bytes(1) == b"b"
        assert not reader.closed()
        assert await reader.read_bytes(1) == b"c"
        with pytest.raises(StreamClosedError):
            await reader.read_bytes(1)

    go(main)


def test_two_reads_at_once_are_refused(go, make_pair):
    async def main():
        reader, writer = make_pair()
        reading = reader.read_bytes(1)
        with pytest.raises(RuntimeError, match="being read"):
            reader.read_bytes(1)
        writer.write(b"x")
        assert await reading == b"x"
        reader.close()
        writer.close()

    go(main)


def test_a_cancelled_read_loses_no_bytes(go, make_pair):
    async def main():
        reader, writer = make_pair()
        reading = reader.read_until(b"\n")
        await writer.write(b"half a line")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await writer.write(b", and the rest\n")
        assert await reader.read_until(b"\n") == b"half a line, and the rest\n"
        reader.close()
        writer.close()

    go(main)


def test_mistakes_in_arguments_are_raised_at_the_call(go, make_pair):
    async def main():
        reader, writer = make_pair()
        with pytest.raises(ValueError, match="at least one byte"):
            reader.read_until(b"")
        with pytest.raises(ValueError, match="-1 bytes"):
            reader.read_bytes(-1)
        with pytest.raises(TypeError, match="written to"):
            reader.read_into(b"constant")
        with pytest.raises(re.error):
            reader.read_until_regex(b"(")
        assert not reader.reading()
        reader.close()
        writer.close()

    go(main)


def test_writes_wait_for_a_slow_reader(go, make_pair):
    async def main():
        reader, writer = make_pair()
        size = 8_000_000
        writing = writer.write(b"x" * size)
        assert not writing.done()
        assert writer.writing()
        left = size
        while left:
            left -= len(await reader.read_bytes(left, partial=True))
        await writing
        assert not writer.writing()
        reader.close()
        writer.close()

    go(main)


def test_a_reader_who_does_not_read_holds_the_writer_back(go, make_pair):
    async def main():
        reader, writer = make_pair(max_buffer_size=50_000)
        writing = writer.write(b"x" * 8_000_000)
        for _ in range(100):
            assert await reader.read_bytes(10) == b"x" * 10
        assert not writing.done()
        writer.close()
        with pytest.raises(StreamClosedError):
            await writing
        reader.close()

    go(main)


def test_a_full_write_buffer_refuses_more(go, make_pair):
    async def main():
        reader, writer = make_pair(max_write_buffer_size=1_000_000)
        with pytest.raises(StreamBufferFullError):
            writer.write(b"x" * 1_000_001)
        with pytest.raises(StreamBufferFullError):
            while True:
                writer.write(b"x" * 100_000)
        assert not writer.closed()
        reader.close()
        writer.close()

    go(main)


def test_written_memory_may_change_afterwards(go, make_pair):
    async def main():
        reader, writer = make_pair()
        data = bytearray(b"x" * 1_000_000)
        writer.write(data)
        data[:] = b"y"
        data.clear()
        assert set(await reader.read_bytes(1_000_000)) == set(b"x")
        writer.write(memoryview(bytes(80)).cast("L"))
        assert await reader.read_bytes(80) == bytes(80)
        reader.close()
        writer.close()

    go(main)


def test_writing_to_a_peer_that_has_gone_fails(go, make_pair):
    async def main():
        reader, writer = make_pair()
        closed = asyncio.ensure_future(closing(writer))
        reader.close()
        with pytest.raises(StreamClosedError):
            await writer.write(b"x" * 8_000_000)
        await closed
        with pytest.raises(StreamClosedError):
            writer.write(b"more")

    go(main)


def test_the_close_callback_comes_once_even_if_set_late(go, make_pair):
    async def main():
        reader, writer = make_pair()
        calls = []
        reader.set_close_callback(lambda: calls.append("first"))
        reader.close()
        reader.close()
        assert calls == []
        await asyncio.sleep(0)
        assert calls == ["first"]
        reader.set_close_callback(lambda: calls.append("late"))
        await asyncio.sleep(0)
        assert calls == ["first", "late"]
        writer.close()

    go(main)


def test_closing_with_a_reason_tells_it_to_those_who_wait(go, make_pair):
    async def main():
        reader, writer = make_pair()
        reading = reader.read_until_close()
        try:
            raise OSError("boom")
        except OSError:
            reader.close(exc_info=True)
        with pytest.raises(StreamClosedError, match="boom") as caught:
            await reading
        assert str(caught.value.real_error) == "boom"
        with pytest.raises(StreamClosedError, match="boom"):
            reader.read_until_close()
        writer.close()

    go(main)


def test_streams_made_before_the_loop_runs_work_in_it(make_pair):
    reader, writer = make_pair()

    async def main():
        writer.write(b"hello\n")
        assert await reader.read_until(b"\n") == b"hello\n"
        reader.close()
        writer.close()

    asyncio.run(main())


def test_many_small_arrivals_are_searched_once(go, make_pair):
    async def main():
        reader, writer = make_pair()
        reading = reader.read_until(b"\n")
        for _ in range(2000):
            writer.write(b"x" * 500)
        writer.write(b"\n")
        assert len(await reading) == 1_000_001
        reader.close()
        writer.close()

    go(main)
