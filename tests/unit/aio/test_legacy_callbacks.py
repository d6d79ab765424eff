"""Functions that take callbacks, yielded."""

import asyncio

import pytest

from eyewall.aio import (
    Arguments,
    Callback,
    Future,
    KeyReuseError,
    LeakedCallbackError,
    ReturnValueIgnoredError,
    Task,
    UnknownKeyError,
    Wait,
    WaitAll,
    coroutine,
    engine,
    moment,
)
from eyewall.loop.callback_errors import on_callback_error


def call_back(*args, callback, **kwargs):
    asyncio.get_running_loop().call_soon(lambda: callback(*args, **kwargs))


def test_a_task_is_worth_what_the_callback_got(run):
    @coroutine
    def work():
        assert (yield Task(call_back)) is None
        assert (yield Task(call_back, 1)) == 1
        assert (yield Task(call_back, 1, 2, a=3)) == Arguments((1, 2), {"a": 3})
        return (yield [Task(call_back, "x"), Task(call_back, "y")])

    async def main():
        assert await work() == ["x", "y"]

    run(main)


def test_a_function_that_fails_when_called_raises_there(run):
    def fails(callback):
        raise OSError("at once")

    @coroutine
    def work():
        with pytest.raises(OSError, match="at once"):
            yield Task(fails)

    async def main():
        await work()

    run(main)


def test_a_callback_called_twice_counts_once(run):
    def twice(callback):
        callback(1)
        callback(2)

    @coroutine
    def work():
        return (yield Task(twice))

    async def main():
        assert await work() == 1

    run(main)


def test_callbacks_are_waited_for_by_key(run):
    @coroutine
    def work():
        call_back("one", callback=(yield Callback("a")))
        call_back("two", callback=(yield Callback("b")))
        (yield Callback("c"))("three")
        assert (yield Wait("b")) == "two"
        assert (yield WaitAll(["a", "c"])) == ["one", "three"]
        (yield Callback("a"))("again")
        return (yield Wait("a"))

    async def main():
        assert await work() == "again"

    run(main)


def test_keys_are_checked(run):
    @coroutine
    def work():
        yield Callback("a")
        with pytest.raises(KeyReuseError, match="'a'"):
            yield Callback("a")
        with pytest.raises(UnknownKeyError, match="'b'"):
            yield Wait("b")
        with pytest.raises(UnknownKeyError, match="'b'"):
            yield WaitAll(["b"])

    async def main():
        with pytest.raises(LeakedCallbackError, match="'a'"):
            await work()

    run(main)


def test_each_coroutine_has_its_own_keys(run):
    @coroutine
    def inner():
        (yield Callback("key"))("inner")
        yield moment
        return (yield Wait("key"))

    @coroutine
    def outer():
        (yield Callback("key"))("outer")
        return (yield inner()), (yield Wait("key"))

    async def main():
        assert await outer() == ("inner", "outer")

    run(main)


def test_an_engine_returns_nothing_and_runs_on(run):
    @engine
    def work(gate, ended):
        yield gate
        ended.set()

    async def main():
        gate, ended = Future(), asyncio.Event()
        assert work(gate, ended) is None
        gate.set_result(None)
        await ended.wait()

    run(main)


def test_an_engines_early_failure_is_raised(run):
    @engine
    def fails():
        raise OSError("early")
        yield

    @engine
    def returns():
        yield Task(lambda callback: callback())
        return 5

    async def main():
        with pytest.raises(OSError, match="early"):
            fails()
        with pytest.raises(ReturnValueIgnoredError, match="5"):
            returns()

    run(main)


def test_an_engines_late_failure_goes_to_the_loop_or_to_who_asked_for_it(run):
    @engine
    def fails(gate):
        yield gate
        raise OSError("late")

    async def main():
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        loop.set_exception_handler(lambda _, context: told.set_result(context["exception"]))
        gate = Future()
        fails(gate)
        gate.set_result(None)
        assert str(await told) == "late"

        taken = loop.create_future()
        on_callback_error.set(taken.set_result)
        gate = Future()
        fails(gate)
        gate.set_result(None)
        assert str(await taken) == "late"

    run(main)
