"""`ArgReplacer`: one argument of a call, wherever it stands."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, final


@final
class ArgReplacer:
    """Finds and replaces one argument in calls of a function, by position or by name.

    Args:
        func: The function that is called.
        name: The argument's name.
    """

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.name = name
        self.arg_pos: int | None = None
        for position, parameter in enumerate(inspect.signature(func).parameters.values()):
            if parameter.kind not in {
                inspect.Parameter.POSITIONAL_ONLY,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
            }:
                break
            if parameter.name == name:
                self.arg_pos = position

    def get_old_value(
        self, args: Sequence[Any], kwargs: dict[str, Any], default: Any = None
    ) -> Any:
        """The argument's value in a call; `default` where the call does not give it."""
        if self.arg_pos is not None and self.arg_pos < len(args):
            return args[self.arg_pos]
        return kwargs.get(self.name, default)

    def replace(
        self, new_value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, Sequence[Any], dict[str, Any]]:
        """The old value, and the call's arguments with the new one.

        `kwargs` is changed where the argument is, or is to be, given by name.
        """
        if self.arg_pos is not None and self.arg_pos < len(args):
            changed = list(args)
            changed[self.arg_pos] = new_value
            return args[self.arg_pos], changed, kwargs
        old = kwargs.get(self.name)
        kwargs[self.name] = new_value
        return old, args, kwargs
