"""Typed verbs and functions as the plain ones that routes call."""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from eyewall.web.typed.parameters import Plan, plan_of

_encode = msgspec.json.Encoder().encode


def typed_verb(verb: Callable[..., Any], method: str) -> tuple[Callable[..., Any], Plan | None]:
    """A verb that is given what its annotations ask for, and its plan.

    What it returns, where it says that it returns something, is written as JSON; text as text.
    """
    plan = plan_of(verb, method, path_names=None)
    if plan is None:
        return verb, None

    def called(handler: Any, *args: Any, **kwargs: Any) -> Any:
        if plan.parameters:
            kwargs.update(plan.read(handler.request))
        result = verb(handler, *args, **kwargs)
        if plan.returned is None or result is None:
            return result
        if inspect.isawaitable(result):
            return _write_later(handler, result)
        _write(handler, result)
        return None

    return called, plan


async def _write_later(handler: Any, waiting: Any) -> None:
    result = await waiting
    if result is not None:
        _write(handler, result)


def _write(handler: Any, result: Any) -> None:
    if isinstance(result, str | bytes):
        handler.write(result)
        return
    handler.set_header("Content-Type", "application/json; charset=UTF-8")
    handler.write(_encode(result))


def typed_function(
    function: Callable[..., Any], method: str, path_names: tuple[str, ...] | None
) -> tuple[Callable[..., Any], Plan | None]:
    """A function that is given what its annotations ask for, and its plan."""
    plan = plan_of(function, method, path_names=path_names)
    if plan is None or not plan.parameters:
        return function, plan

    def called(request: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.update(plan.read(request))
        return function(request, *args, **kwargs)

    return called, plan
