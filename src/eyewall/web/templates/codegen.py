"""A template's Python.

The function gathers text in a list and joins it once. Neighbouring texts and values become one
f-string, so a row of a table costs one `append`. Values are put in as syntax trees, not as
text: what a person writes in an expression, quotes or comments too, cannot change what stands
around it. Every part of the tree has a number instead of a line, and `places` says which line
of which template a number means.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Final, NamedTuple, TypeAlias

from eyewall.web.templates.errors import ParseError
from eyewall.web.templates.nodes import Block, File


class Place(NamedTuple):
    """A line of a template, and the lines that have led there: inclusions, blocks."""

    name: str
    line: int
    via: tuple[str, ...] = ()


Places: TypeAlias = dict[int, Place]

_INDENT: Final = " "
# Python takes at most 20 nested loops and 100 levels of indentation.
_DEEPEST: Final = 90
_BUILT_IN: Final = frozenset({"xhtml_escape", "escape"})


class Writer:
    """Gathers the Python of one template and of those that it extends and includes."""

    def __init__(self, blocks: dict[str, Block], root: File) -> None:
        self.lines: list[str] = []
        self.places: Places = {}
        self.values: dict[str, ast.expr] = {}
        """The expressions that stand for names in the lines."""
        self._blocks = blocks
        self._file = root
        self._via: tuple[str, ...] = ()
        self._depth = 0
        self._level = 0
        self._pieces: list[str | ast.expr] = []
        self._names = 0
        self._numbers = 1_000_000

    def _line(self, code: str, line: int) -> None:
        if self._level > _DEEPEST:
            raise ParseError("Nested too deeply", self._file.name, line)
        # A statement may have several lines where brackets hold them together.
        for part in code.split("\n"):
            self.lines.append(_INDENT * self._level + part)
            self.places[len(self.lines)] = Place(self._file.name, line, self._via)

    def text(self, text: str) -> None:
        """Send text."""
        if text:
            self._pieces.append(text)

    def value(self, code: str, line: int, *, raw: bool = False) -> None:
        """Send a value, escaped as the template says unless it is raw.

        Raises:
            ParseError: It is no expression.
        """
        try:
            # Brackets keep several lines together. What closes one kind of them to open it
            # again would be Python within that kind, so two kinds are tried.
            ast.parse(f"[\n{code}\n]", mode="eval")
            value = ast.parse(f"(\n{code}\n)", mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
            reason = exc.msg if isinstance(exc, SyntaxError) else str(exc)
            text = f"{code[:80]!r} is no expression: {reason}"
            raise ParseError(text, self._file.name, line) from None
        escape = None if raw else self._file.autoescape
        if escape in _BUILT_IN:
            value = _call("_tt_escape", value)
        else:
            value = _call("_tt_text", value)
            if escape is not None:
                value = _call("_tt_text", _call(escape, value))
        self._numbers += 1
        self.places[self._numbers] = Place(self._file.name, line, self._via)
        for node in ast.walk(value):
            if isinstance(node, ast.expr):
                node.lineno = node.end_lineno = self._numbers
                node.col_offset = node.end_col_offset = 0
        self._pieces.append(value)

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._pieces:
            return
        name = self.new_name("value")
        self.values[name] = _joined(self._pieces)
        self._pieces = []
        self._line(f"_tt_append({name})", 1)

    def statement(self, code: str, line: int) -> None:
        """Write a statement."""
        self.flush()
        self._line(code, line)

    def middle(self, code: str, line: int) -> None:
        """Write what divides a body, one level up."""
        self.flush()
        self._line("pass", line)
        self._level -= 1
        self._line(code, line)
        self._level += 1

    @contextmanager
    def indented(self) -> Iterator[None]:
        """Write one level deeper."""
        self.flush()
        self._level += 1
        yield
        self.flush()
        self._line("pass", 1)
        self._level -= 1

    @contextmanager
    def buffer(self, line: int) -> Iterator[None]:
        """Gather text in a list of its own, and return it."""
        self._line("_tt_buffer = []", line)
        self._line("_tt_append = _tt_buffer.append", line)
        yield
        self.flush()
        self._line('return "".join(_tt_buffer)', line)

    @contextmanager
    def within(self, file: File, line: int) -> Iterator[None]:
        """Write a part of another template.

        Raises:
            ParseError: Templates include each other in a circle.
        """
        if self._depth > _DEEPEST:
            raise ParseError("Templates include each other in a circle", self._file.name, line)
        outer, self._file = self._file, file
        via = self._via
        self._via = (f"{outer.name}:{line}", *via)
        self._depth += 1
        yield
        self._depth -= 1
        self._file, self._via = outer, via

    def block(self, name: str, default: Block) -> Block:
        """The block of that name that counts."""
        return self._blocks.get(name, default)

    def new_name(self, kind: str) -> str:
        """A name that nothing else has."""
        self._names += 1
        return f"_tt_{kind}{self._names}"


def _call(function: str, value: ast.expr) -> ast.expr:
    # A dotted name, or any other expression that is a function.
    called = ast.parse(function, mode="eval").body
    return ast.copy_location(ast.Call(func=called, args=[value], keywords=[]), value)


def _joined(pieces: list[str | ast.expr]) -> ast.expr:
    parts: list[ast.expr] = []
    for piece in pieces:
        if isinstance(piece, ast.expr):
            formatted = ast.FormattedValue(value=piece, conversion=-1, format_spec=None)
            parts.append(ast.copy_location(formatted, piece))
        elif parts and isinstance(parts[-1], ast.Constant):
            parts[-1] = ast.Constant(str(parts[-1].value) + piece)
        else:
            parts.append(ast.Constant(piece))
    if len(parts) == 1:
        only = parts[0]
        return only.value if isinstance(only, ast.FormattedValue) else only
    return ast.JoinedStr(values=parts)


class _Filler(ast.NodeTransformer):
    """Puts the expressions in the places of their names."""

    def __init__(self, values: dict[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._values.get(node.id)
        return node if value is None else ast.copy_location(value, node)


def compile_file(file: File) -> tuple[CodeType, Places]:
    """The code of a template, and for each number in it the template and line behind it.

    Raises:
        ParseError: Something in it is no Python.
    """
    lineage = file.lineage()
    blocks: dict[str, Block] = {}
    for each in lineage:
        for name, block in each.blocks().items():
            blocks.setdefault(name, block)
    root = lineage[-1]
    writer = Writer(blocks, root)
    try:
        writer.statement("def _tt_execute():", 1)
        with writer.indented(), writer.buffer(1):
            root.body.write(writer)
        source = "\n".join(writer.lines) + "\n"
        tree = ast.fix_missing_locations(_Filler(writer.values).visit(ast.parse(source)))
        return compile(tree, file.name, "exec", dont_inherit=True), writer.places
    except (SyntaxError, ValueError, MemoryError) as exc:
        number = getattr(exc, "lineno", None) or 1
        name, line, _ = writer.places.get(number, Place(root.name, 1))
        reason = exc.msg if isinstance(exc, SyntaxError) else str(exc)
        raise ParseError(reason, name, line) from None
    except RecursionError:
        raise ParseError("Nested too deeply, or in a circle", root.name, 1) from None
