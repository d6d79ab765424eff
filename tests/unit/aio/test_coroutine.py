"""Decorated coroutines: what they wait for, what they return, how they fail."""

import asyncio
import concurrent.futures
import contextvars
import gc
import traceback
import weakref

import pytest
import uvloop

from eyewall.aio import (
    BadYieldError,
    Future,
    Return,
    convert_yielded,
    coroutine,
    is_coroutine_function,
    moment,
    sleep,
)
from eyewall.loop import IOLoop


@pytest.fixture(params=[None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def in_loop(run, request):
    return lambda main: run(main, request.param)


def done(value):
    future = Future()
    future.set_result(value)
    return future


def failed(error):
    future = Future()
    future.set_exception(error)
    return future


def test_it_runs_at_once_up_to_its_first_real_wait(in_loop):
    seen = []

    @coroutine
    def work(gate):
        seen.append((yield done("ready")))
        seen.append((yield gate))
        return "end"

    async def main():
        gate = Future()
        result = work(gate)
        assert seen == ["ready"]
        assert not result.done()
        gate.set_result("opened")
        assert await result == "end"
        assert seen == ["ready", "opened"]

    in_loop(main)


def test_what_never_waits_is_done_when_called(in_loop):
    @coroutine
    def work(depth):
        if depth:
            return (yield work(depth - 1))
        return (yield done(7))

    async def main():
        result = work(5)
        assert result.done()
        assert result.result() == 7

    in_loop(main)


@pytest.mark.parametrize("value", [None, 42, (1, 2)])
def test_return_by_exception_is_return_by_statement(in_loop, value):
    @coroutine
    def raises():
        yield moment
        raise Return(value)

    @coroutine
    def raises_at_once():
        raise Return(value)

    @coroutine
    def plain():
        return value

    async def main():
        assert await raises() == await raises_at_once() == await plain() == value

    in_loop(main)


def test_it_waits_for_all_that_can_be_waited_for(in_loop):
    async def native(value):
        await asyncio.sleep(0)
        return value

    @coroutine
    def work(pool):
        assert (yield None) is None
        assert (yield moment) is None
        assert (yield native(1)) == 1
        assert (yield asyncio.create_task(native(2))) == 2
        assert (yield pool.submit(pow, 2, 5)) == 32
        assert (yield sleep(0)) is None
        assert (yield [native(3), done(4), moment]) == [3, 4, None]
        assert (yield {"a": native(5), "b": [done(6)]}) == {"a": 5, "b": [6]}
        assert (yield []) == []
        assert (yield {}) == {}
        return "all"

    async def main():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert await work(pool) == "all"

    in_loop(main)


@pytest.mark.parametrize("bad", [42, "text", (1, 2), object()])
def test_what_cannot_be_waited_for_is_an_error_the_coroutine_may_catch(in_loop, bad):
    @coroutine
    def work():
        with pytest.raises(BadYieldError, match="cannot wait for"):
            yield bad
        yield moment
        return "went on"

    async def main():
        assert await work() == "went on"

    in_loop(main)


def test_types_of_ones_own_can_be_registered(in_loop):
    class Promise:
        def __init__(self, value):
            self.value = value

    convert_yielded.register(Promise, lambda promise: done(promise.value))

    @coroutine
    def work():
        one = yield Promise(1)
        return one, (yield [Promise(2), {"x": Promise(3)}])

    async def main():
        assert await work() == (1, [2, {"x": 3}])

    in_loop(main)


def test_a_failure_is_the_futures_and_names_the_line(in_loop):
    @coroutine
    def inner():
        yield moment
        raise LookupError("inner line")

    @coroutine
    def outer():
        yield inner()

    async def main():
        result = outer()
        with pytest.raises(LookupError, match="inner line") as caught:
            await result
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names.index("outer") < names.index("inner")
        assert caught.value.__context__ is None

    in_loop(main)


def test_a_failure_can_be_caught_and_replaced(in_loop):
    @coroutine
    def work():
        try:
            yield failed(ZeroDivisionError())
        except ZeroDivisionError:
            yield moment
        try:
            yield [failed(KeyError("x"))]
        except KeyError:
            raise ValueError("instead") from None

    async def main():
        with pytest.raises(ValueError, match="instead"):
            await work()

    in_loop(main)


@pytest.mark.parametrize("early", [True, False])
def test_a_cancelled_inner_future_cancels_the_coroutine(in_loop, early):
    @coroutine
    def work(inner):
        yield inner

    async def main():
        inner = Future()
        if early:
            inner.cancel()
        result = work(inner)
        inner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await result
        assert result.cancelled()

    in_loop(main)


def test_a_caught_cancellation_lets_it_go_on(in_loop):
    @coroutine
    def work(inner):
        try:
            yield inner
        except asyncio.CancelledError:
            pass
        yield moment
        return "alive"

    async def main():
        inner = Future()
        result = work(inner)
        inner.cancel()
        assert await result == "alive"

    in_loop(main)


def test_cancelling_its_future_leaves_the_body_running(in_loop):
    @coroutine
    def work(gate, ended):
        try:
            yield gate
        finally:
            ended.set()
        return "ignored"

    async def main():
        gate, ended = Future(), asyncio.Event()
        result = work(gate, ended)
        result.cancel()
        gate.set_result(None)
        await ended.wait()
        assert result.cancelled()

    in_loop(main)


def test_context_variables_stay_inside(in_loop):
    name = contextvars.ContextVar("name", default="nobody")

    async def native():
        return name.get()

    @coroutine
    def work(own):
        token = name.set(own)
        yield moment
        assert name.get() == own
        assert (yield native()) == own
        name.reset(token)
        return name.get()

    async def main():
        name.set("caller")
        assert await asyncio.gather(work("a"), work("b")) == ["caller", "caller"]
        assert name.get() == "caller"

    in_loop(main)


def test_turns_are_taken(in_loop):
    seen = []

    @coroutine
    def work(name):
        for _ in range(3):
            seen.append(name)
            yield moment

    async def main():
        await asyncio.gather(work("a"), work("b"))
        assert "".join(seen) == "ababab"

    in_loop(main)


def test_a_function_that_is_none_works(in_loop):
    @coroutine
    def plain(x):
        return x * 2

    @coroutine
    async def native(x):
        await asyncio.sleep(0)
        return x * 3

    @coroutine
    def fails():
        raise OSError("plain")

    async def main():
        assert await plain(4) == 8
        assert await native(4) == 12
        result = fails()
        with pytest.raises(OSError, match="plain"):
            await result
        with pytest.raises(TypeError):
            await plain()

    in_loop(main)


def test_it_keeps_its_name_and_tells_what_it_is():
    def work():
        """Words."""
        yield

    wrapped = coroutine(work)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.__wrapped__) == ("work", "Words.", work)
    assert is_coroutine_function(wrapped)
    assert not is_coroutine_function(work)


def test_it_works_under_an_ioloop():
    @coroutine
    def work():
        yield sleep(0)
        return 5

    loop = IOLoop()
    assert loop.run_sync(work) == 5
    loop.close()


def test_a_failure_leaves_no_cycles(in_loop):
    class Big:
        pass

    held = []

    @coroutine
    def inner(wait):
        big = Big()
        held.append(weakref.ref(big))
        yield (moment if wait else done(1))
        raise ValueError

    @coroutine
    def outer():
        for wait in (False, True):
            try:
                yield inner(wait)
            except ValueError:
                pass

    async def main():
        await outer()

    gc.collect()
    gc.disable()
    try:
        in_loop(main)
        assert [ref() for ref in held] == [None, None]
    finally:
        gc.enable()


def test_its_future_alone_keeps_a_waiting_coroutine_alive(in_loop):
    @coroutine
    def work(gates):
        gate = Future()
        gates.append(weakref.ref(gate))
        return (yield gate)

    async def main():
        gates = []
        result = work(gates)
        gc.collect()
        gates[0]().set_result("alive")
        assert await result == "alive"

    in_loop(main)


def test_an_abandoned_coroutine_is_closed(in_loop):
    closed = []

    @coroutine
    def work(gate):
        try:
            yield gate
        finally:
            closed.append(True)

    async def main():
        work(Future())
        gc.collect()
        assert closed == [True]

    in_loop(main)


def test_debug_mode_names_the_callers_line():
    @coroutine
    def work():
        yield moment

    async def main():
        asyncio.get_running_loop().set_debug(True)
        result = work()
        assert __file__ in repr(result)
        await result

    asyncio.run(main())
