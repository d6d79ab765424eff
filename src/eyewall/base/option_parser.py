"""`OptionParser`: named, typed options from the command line and from configuration files."""

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TextIO, final

from eyewall.base.option_values import Error, check, parse, parse_list

# Inside the class below `type` is an attribute's name.
_Type = type
_WIDTH: Final = 79
_INDENT: Final = 35


@final
class _Option:
    """One option: its definition, and its value once it has one."""

    __slots__ = (
        "_value",
        "callback",
        "default",
        "group",
        "help",
        "is_set",
        "metavar",
        "multiple",
        "name",
        "type",
    )

    def __init__(
        self,
        name: str,
        default: Any,
        type_: _Type,
        *,
        help_: str | None,
        metavar: str | None,
        multiple: bool,
        group: str,
        callback: Callable[[Any], object] | None,
    ) -> None:
        self.name, self.help, self.metavar = name, help_, metavar
        self.type = type_
        self.multiple, self.group, self.callback = multiple, group, callback
        self.default = [] if multiple and default is None else default
        self.is_set = False
        self._value: Any = None

    @property
    def value(self) -> Any:
        return self._value if self.is_set else self.default

    def set(self, value: Any) -> None:
        """Take a value of the right type."""
        check(self.name, self.type, value, multiple=self.multiple)
        self._take(value)

    def read(self, text: str) -> None:
        """Take a value written as text."""
        convert = parse_list if self.multiple else parse
        self._take(convert(self.name, self.type, text))

    def configure(self, value: Any) -> None:
        """Take a value from a configuration file: of the right type, or as text."""
        if isinstance(value, str) and (self.multiple or not issubclass(self.type, str)):
            self.read(value)
        else:
            self.set(value)

    def _take(self, value: Any) -> None:
        self._value, self.is_set = value, True
        if self.callback is not None:
            self.callback(value)


class OptionParser:
    """A set of options. Each is an attribute, and a member by its name.

    Names with "-" and "_" are the same name. `--help` is always there.

    Example:
        >>> parser = OptionParser()
        >>> parser.define("port", default=8888, help="where to listen")
        >>> parser.parse_command_line(["program", "--port=80", "more"])
        ['more']
        >>> parser.port
        80
    """

    _options: dict[str, _Option]
    _callbacks: list[Callable[[], object]]

    def __init__(self) -> None:
        # Ordinary assignment would look for an option of that name.
        self.__dict__["_options"] = {}
        self.__dict__["_callbacks"] = []
        self.define(
            "help", type=bool, help="show this help", group="", callback=self._help_asked_for
        )

    def __getattr__(self, name: str) -> Any:
        """The option's value.

        Raises:
            AttributeError: It is not defined.
        """
        option = self.__dict__.get("_options", {}).get(_key(name))
        if option is None:
            raise AttributeError(f"there is no option {name!r}")
        return option.value

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the option.

        Raises:
            AttributeError: It is not defined.
            Error: The value has the wrong type.
        """
        option = self._options.get(_key(name))
        if option is None:
            raise AttributeError(f"there is no option {name!r}; define it first")
        option.set(value)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._options

    def __iter__(self) -> Iterator[str]:
        return (option.name for option in self._options.values())

    def items(self) -> list[tuple[str, Any]]:
        """Names, as they were defined, and values."""
        return [(option.name, option.value) for option in self._options.values()]

    def as_dict(self) -> dict[str, Any]:
        """All values by name."""
        return dict(self.items())

    def groups(self) -> set[str]:
        """The names of the groups."""
        return {option.group for option in self._options.values()}

    def group_dict(self, group: str) -> dict[str, Any]:
        """The values of a group's options by name, as for `Application(**group_dict(...))`."""
        return {o.name: o.value for o in self._options.values() if not group or o.group == group}

    def define(
        self,
        name: str,
        default: Any = None,
        type: type | None = None,  # noqa: A002 - the name that programs give
        help: str | None = None,  # noqa: A002 - as before
        metavar: str | None = None,
        multiple: bool = False,
        group: str | None = None,
        callback: Callable[[Any], object] | None = None,
    ) -> None:
        """Define an option.

        Args:
            name: Its name; "-" and "_" are the same.
            default: Its value until it is set.
            type: Of its values; by default that of `default`, or str. `datetime`, `timedelta`
                and bool are read from their usual forms, any other class from one str.
            help: What it is, for `--help`.
            metavar: What its value is, for `--help`.
            multiple: It is a list; "," separates values, and of ints `1:3` is 1, 2, 3.
            group: Where `--help` shows it; by default the file that defines it.
            callback: Called with each value that it is given.

        Raises:
            Error: The name is defined already, or the default does not fit.
        """
        key = _key(name)
        if key in self._options:
            first = self._options[key]
            raise Error(f"Option {first.name!r} is already defined in {first.group or 'here'}")
        known = default is not None and not multiple
        kind = type if type is not None else default.__class__ if known else str
        place = _caller() if group is None else group
        self._options[key] = _Option(
            name,
            default,
            kind,
            help_=help,
            metavar=metavar,
            multiple=multiple,
            group=place,
            callback=callback,
        )

    def parse_command_line(
        self, args: Sequence[str] | None = None, final: bool = True
    ) -> list[str]:
        """Set options from `--name=value` arguments, up to the first that is none, or "--".

        Args:
            args: The command line, with the program at its start; `sys.argv` by default.
            final: Run the parse callbacks afterwards. Give False where a configuration file
                that the command line names is parsed next.

        Returns:
            The arguments that are left.

        Raises:
            Error: An option is unknown, or its value is missing or wrong.
        """
        words = list(sys.argv if args is None else args)
        at = 1
        while at < len(words) and words[at].startswith("-"):
            word = words[at]
            at += 1
            if word == "--":
                break
            self._argument(word)
        if final:
            self.run_parse_callbacks()
        return words[at:]

    def _argument(self, word: str) -> None:
        name, given, value = word.lstrip("-").partition("=")
        option = self._options.get(_key(name))
        if option is None:
            self.print_help()
            raise Error(f"there is no option {name!r}")
        if not given:
            if option.type is not bool:
                raise Error(f"option {name!r} needs a value: --{name}=...")
            value = "true"
        option.read(value)

    def parse_config_file(self, path: str, final: bool = True) -> None:
        """Set options from a file of Python code: `port = 80`. It is run, so it must be trusted.

        Names that are no options are ignored. Values are of the option's type, or text as on
        the command line; `__file__` is the file's own path.

        Args:
            path: The file, in UTF-8.
            final: Run the parse callbacks afterwards.

        Raises:
            Error: A value does not fit.
            OSError: The file cannot be read.
        """
        where = Path(path).absolute()
        names: dict[str, Any] = {"__file__": str(where)}
        code = compile(where.read_bytes(), str(where), "exec", dont_inherit=True)
        exec(code, names, names)  # noqa: S102 - the file is the program's own
        for name, value in names.items():
            option = self._options.get(_key(name))
            if option is not None:
                option.configure(value)
        if final:
            self.run_parse_callbacks()

    def add_parse_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` after each final parse."""
        self._callbacks.append(callback)

    def run_parse_callbacks(self) -> None:
        """Call what `add_parse_callback` was given."""
        for callback in self._callbacks:
            callback()

    def mockable(self) -> "MockableOptions":
        """The options in a form that `unittest.mock.patch.object` can patch."""
        return MockableOptions(self)

    def print_help(self, file: TextIO | None = None) -> None:
        """Write all options by group, to standard error by default."""
        out = sys.stderr if file is None else file
        print(f"Usage: {sys.argv[0]} [OPTIONS]\n\nOptions:\n", file=out)
        for group in sorted(self.groups()):
            if group:
                print(f"\n{Path(group)} options:\n", file=out)
            own = [option for option in self._options.values() if option.group == group]
            for option in sorted(own, key=lambda option: option.name):
                print(_help_lines(option), file=out)
        print(file=out)

    def _help_asked_for(self, wanted: bool) -> None:
        if wanted:
            self.print_help()
            sys.exit(0)


@final
class MockableOptions:
    """Attributes of an `OptionParser`, with deletion, which `mock.patch.object` ends with."""

    def __init__(self, options: OptionParser) -> None:
        self.__dict__["_parser"] = options
        self.__dict__["_before"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_parser"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        parser, before = self.__dict__["_parser"], self.__dict__["_before"]
        if name in before:
            raise Error(f"option {name!r} is patched already by this object; take another")
        before[name] = getattr(parser, name)
        setattr(parser, name, value)

    def __delattr__(self, name: str) -> None:
        setattr(self.__dict__["_parser"], name, self.__dict__["_before"].pop(name))


def _key(name: str) -> str:
    return name.replace("_", "-")


def _help_lines(option: _Option) -> str:
    head = "--" + _key(option.name)
    if option.type is not bool or option.metavar:
        head += f"={option.metavar or option.type.__name__.upper()}"
    text = option.help or ""
    if option.default not in (None, "", []):
        text += f" (default {option.default})"
    lines = textwrap.wrap(text, _WIDTH - _INDENT) or [""]
    first = f"  {head:<{_INDENT - 3}} "
    if len(head) > _INDENT - 4:
        first = f"  {head}\n{'':<{_INDENT}}"
    return f"\n{'':<{_INDENT}}".join([first + lines[0], *lines[1:]]).rstrip()


def _caller() -> str:
    """The first file of the stack outside of those that define options for others."""
    frame = sys._getframe(1)  # noqa: SLF001 - there is no other cheap way to the caller's file
    while frame.f_back is not None and frame.f_globals.get("__name__") in _OWN:
        frame = frame.f_back
    return frame.f_code.co_filename


_OWN: Final = frozenset({__name__, "eyewall.base.options"})

# The program's own options; `eyewall.base.options` has the functions for them.
options: Final = OptionParser()
