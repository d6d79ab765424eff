"""Coroutines on generators, futures, locks and queues, on plain asyncio."""

from asyncio import Future

from eyewall.aio.coroutine import Return, YieldPoint, coroutine, is_coroutine_function
from eyewall.aio.events import Condition, Event
from eyewall.aio.futures import (
    FUTURES,
    DummyExecutor,
    ReturnValueIgnoredError,
    chain_future,
    dummy_executor,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
    run_on_executor,
)
from eyewall.aio.legacy_callbacks import (
    Arguments,
    Callback,
    KeyReuseError,
    LeakedCallbackError,
    Task,
    UnknownKeyError,
    Wait,
    WaitAll,
    engine,
)
from eyewall.aio.locks import BoundedSemaphore, Lock, Semaphore
from eyewall.aio.multi import WaitIterator, maybe_future, multi, multi_future, sleep, with_timeout
from eyewall.aio.operation import op
from eyewall.aio.queues import LifoQueue, PriorityQueue, Queue, QueueEmpty, QueueFull
from eyewall.aio.yielded import BadYieldError, convert_yielded, moment

__all__ = [
    "FUTURES",
    "Arguments",
    "BadYieldError",
    "BoundedSemaphore",
    "Callback",
    "Condition",
    "DummyExecutor",
    "Event",
    "Future",
    "KeyReuseError",
    "LeakedCallbackError",
    "LifoQueue",
    "Lock",
    "PriorityQueue",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "Return",
    "ReturnValueIgnoredError",
    "Semaphore",
    "Task",
    "UnknownKeyError",
    "Wait",
    "WaitAll",
    "WaitIterator",
    "YieldPoint",
    "chain_future",
    "convert_yielded",
    "coroutine",
    "dummy_executor",
    "engine",
    "future_add_done_callback",
    "future_set_exc_info",
    "future_set_exception_unless_cancelled",
    "future_set_result_unless_cancelled",
    "is_coroutine_function",
    "is_future",
    "maybe_future",
    "moment",
    "multi",
    "multi_future",
    "op",
    "run_on_executor",
    "sleep",
    "with_timeout",
]
