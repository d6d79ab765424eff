"""Coroutines on generators, under Tornado's names."""

from builtins import (
    TimeoutError,
)

from eyewall.aio import (
    Arguments,
    BadYieldError,
    Callback,
    Future,
    KeyReuseError,
    LeakedCallbackError,
    Return,
    ReturnValueIgnoredError,
    Task,
    UnknownKeyError,
    Wait,
    WaitAll,
    WaitIterator,
    YieldPoint,
    convert_yielded,
    coroutine,
    engine,
    is_coroutine_function,
    is_future,
    maybe_future,
    moment,
    multi,
    multi_future,
    sleep,
    with_timeout,
)
from eyewall.aio import (
    multi as Multi,
)
from eyewall.aio.coroutine import (
    Runner,
)

__all__ = [
    "Arguments",
    "BadYieldError",
    "Callback",
    "Future",
    "KeyReuseError",
    "LeakedCallbackError",
    "Multi",
    "Return",
    "ReturnValueIgnoredError",
    "Runner",
    "Task",
    "TimeoutError",
    "UnknownKeyError",
    "Wait",
    "WaitAll",
    "WaitIterator",
    "YieldPoint",
    "convert_yielded",
    "coroutine",
    "engine",
    "is_coroutine_function",
    "is_future",
    "maybe_future",
    "moment",
    "multi",
    "multi_future",
    "sleep",
    "with_timeout",
]
