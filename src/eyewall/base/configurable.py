"""`Configurable`: an interface whose implementation the program chooses by name."""

from typing import Any, Final, Self, TypeAlias

from eyewall.base.objects import import_object

Saved: TypeAlias = tuple[type | None, dict[str, Any]]

# What each interface was configured with. It is no attribute, which subclasses would inherit.
_choices: Final[dict[type, Saved]] = {}


class Configurable:
    """A class that makes instances of the implementation it was configured with.

    The interface itself overrides `configurable_base` (usually returning itself) and
    `configurable_default`; implementations take their arguments in `initialize` instead of
    `__init__`. Making an implementation by its own name always gives that one.

    Example:
        >>> class Store(Configurable):
        ...     @classmethod
        ...     def configurable_base(cls):
        ...         return Store
        ...     @classmethod
        ...     def configurable_default(cls):
        ...         return MemoryStore
        >>> class MemoryStore(Store):
        ...     def initialize(self, limit=10):
        ...         self.limit = limit
        >>> Store.configure(None, limit=20)
        >>> Store().limit
        20
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """An instance of the chosen implementation, after its `initialize`."""
        options: dict[str, Any] = {}
        made: Any = cls
        while made is made.configurable_base():
            options |= _choices.get(made, (None, {}))[1]
            following = made.configured_class()
            if following is made:
                break
            made = following
        instance: Self = super().__new__(made)
        instance.initialize(*args, **(options | kwargs))
        return instance

    @classmethod
    def configurable_base(cls) -> type["Configurable"]:
        """The interface: the class that the choice is kept for."""
        raise NotImplementedError(f"{cls.__qualname__} must override configurable_base")

    @classmethod
    def configurable_default(cls) -> type["Configurable"]:
        """The implementation where none was configured."""
        raise NotImplementedError(f"{cls.__qualname__} must override configurable_default")

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of the constructor; `__init__` is not to be used."""

    @classmethod
    def configure(cls, impl: str | type | None, **kwargs: Any) -> None:
        """Choose what instances of the interface are from now on.

        Args:
            impl: A subclass, or its dotted name; None for the default one.
            kwargs: Arguments that `initialize` gets besides those of the constructor, which
                win.

        Raises:
            ValueError: The class is none of the interface's.
            ImportError: There is nothing of that name.
        """
        chosen = import_object(impl) if isinstance(impl, str) else impl
        if chosen is not None and not (isinstance(chosen, type) and issubclass(chosen, cls)):
            raise ValueError(f"{chosen!r} is no subclass of {cls.__qualname__}")
        _choices[cls.configurable_base()] = (chosen, kwargs)

    @classmethod
    def configured_class(cls) -> type["Configurable"]:
        """The implementation that is configured, or the default one."""
        base = cls.configurable_base()
        chosen = _choices.get(base, (None, {}))[0]
        return base.configurable_default() if chosen is None else chosen

    @classmethod
    def _save_configuration(cls) -> Saved:
        """The present choice, for a test to go back to."""
        return _choices.get(cls.configurable_base(), (None, {}))

    @classmethod
    def _restore_configuration(cls, saved: Saved) -> None:
        """Go back to a choice that was saved."""
        _choices[cls.configurable_base()] = saved
