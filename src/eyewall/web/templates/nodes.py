"""A template's parts, each of which writes its Python."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eyewall.web.templates.errors import ParseError
from eyewall.web.templates.whitespace import filter_whitespace

if TYPE_CHECKING:
    from eyewall.web.templates.codegen import Writer


@dataclass(slots=True)
class Node:
    """A part at a line of its template."""

    line: int

    def children(self) -> Iterator["Node"]:
        """The parts of this part."""
        return iter(())

    def write(self, writer: "Writer") -> None:
        """Write the part's Python."""
        raise NotImplementedError(f"{type(self).__name__} must define write()")


@dataclass(slots=True)
class Body(Node):
    """Parts in order."""

    parts: list[Node] = field(default_factory=list)

    def children(self) -> Iterator[Node]:
        """The parts."""
        return iter(self.parts)

    def write(self, writer: "Writer") -> None:
        """Write all."""
        for part in self.parts:
            part.write(writer)


@dataclass(slots=True)
class Text(Node):
    """What is sent as it stands."""

    text: str
    whitespace: str

    def write(self, writer: "Writer") -> None:
        """Write the text; white space in preformatted text stays."""
        text = self.text
        if "<pre>" not in text:
            text = filter_whitespace(self.whitespace, text)
        writer.text(text)


@dataclass(slots=True)
class Expression(Node):
    """A value that is sent, escaped unless it is raw."""

    code: str
    raw: bool = False

    def write(self, writer: "Writer") -> None:
        """Write the value."""
        writer.value(self.code, self.line, raw=self.raw)


@dataclass(slots=True)
class Statement(Node):
    """One line of Python."""

    code: str

    def write(self, writer: "Writer") -> None:
        """Write the line."""
        writer.statement(self.code, self.line)


@dataclass(slots=True)
class Control(Node):
    """A statement with a body: `if`, `for`, `while`, `try`."""

    code: str
    body: Body

    def children(self) -> Iterator[Node]:
        """The body."""
        yield self.body

    def write(self, writer: "Writer") -> None:
        """Write the statement and its body."""
        writer.statement(f"{self.code}:", self.line)
        with writer.indented():
            self.body.write(writer)


@dataclass(slots=True)
class Middle(Node):
    """What divides a statement's body: `else`, `elif`, `except`, `finally`."""

    code: str

    def write(self, writer: "Writer") -> None:
        """Write it at the level of the statement."""
        writer.middle(f"{self.code}:", self.line)


@dataclass(slots=True)
class Apply(Node):
    """A function over what its body gives."""

    function: str
    body: Body

    def children(self) -> Iterator[Node]:
        """The body."""
        yield self.body

    def write(self, writer: "Writer") -> None:
        """Write the body as a function, and the call."""
        name = writer.new_name("apply")
        writer.statement(f"def {name}():", self.line)
        with writer.indented(), writer.buffer(self.line):
            self.body.write(writer)
        writer.value(f"{self.function}({name}())", self.line, raw=True)


@dataclass(slots=True)
class Block(Node):
    """A part that templates which extend this one may replace."""

    name: str
    body: Body
    template: "File"

    def children(self) -> Iterator[Node]:
        """The body."""
        yield self.body

    def write(self, writer: "Writer") -> None:
        """Write the body that counts."""
        block = writer.block(self.name, self)
        with writer.within(block.template, self.line):
            block.body.write(writer)


@dataclass(slots=True)
class Include(Node):
    """Another template in this place."""

    name: str
    template: "File"

    def children(self) -> Iterator[Node]:
        """The other template's parts."""
        yield self.template.body

    def write(self, writer: "Writer") -> None:
        """Write the other template."""
        with writer.within(self.template, self.line):
            self.template.body.write(writer)


@dataclass(slots=True)
class File:
    """A template as it was parsed.

    Attributes:
        name: Its name.
        body: Its parts.
        extends: The template that it extends.
        autoescape: The function for expressions; None escapes nothing.
    """

    name: str
    body: Body
    extends: "File | None"
    autoescape: str | None

    def blocks(self) -> dict[str, Block]:
        """The blocks by name, those of included templates too."""
        found: dict[str, Block] = {}
        waiting: list[Node] = [self.body]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Block):
                found.setdefault(node.name, node)
            waiting.extend(reversed(list(node.children())))
        return found

    def lineage(self) -> "list[File]":
        """This template, the one that it extends, and so on.

        Raises:
            ParseError: They extend each other in a circle.
        """
        files: list[File] = [self]
        while (parent := files[-1].extends) is not None:
            if any(parent is known for known in files):
                raise ParseError(f"{parent.name} extends itself", self.name, 1)
            files.append(parent)
        return files
