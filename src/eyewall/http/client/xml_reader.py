"""Elements of an XML document that may never end, as they arrive, in bounded memory."""

from collections.abc import Iterator
from typing import Final, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from eyewall.http.client.errors import HTTPProtocolError, HTTPTooLargeError

_DEEPEST: Final = 200
_SLICE: Final = 16384


class XMLReader:
    """Gives whole elements and forgets them; nothing else of the document is kept.

    Declarations of entities and external documents are refused.

    Args:
        tag: Name of the elements to give, "{namespace}name" where they have one; None for the
            children of the document's root.
        max_bytes: Largest element.
    """

    def __init__(self, tag: str | None = None, max_bytes: int = 1 << 20) -> None:
        self._tag = tag
        self._max_bytes = max_bytes
        self._depth = 0
        self._inside = 0
        self._size = 0
        self._builder: TreeBuilder | None = None
        self._ready: list[Element] = []
        self._parser = parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        if hasattr(parser, "SetReparseDeferralEnabled"):
            # Elements are wanted when they arrive, and their size has a limit of its own.
            parser.SetReparseDeferralEnabled(False)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse

    def feed(self, data: bytes) -> Iterator[Element]:
        """The elements that a piece completes.

        Raises:
            HTTPProtocolError: It is no well-formed XML, or declares entities.
            HTTPTooLargeError: An element is too large, or too deep.
        """
        for at in range(0, len(data), _SLICE):
            piece = data[at : at + _SLICE]
            self._size += len(piece)
            self._parse(piece, last=False)
            yield from self._taken()
            if self._size > self._max_bytes + _SLICE:
                raise HTTPTooLargeError(f"an XML element is over {self._max_bytes} bytes")

    def finish(self) -> Iterator[Element]:
        """The document is over; errors as for `feed`."""
        self._parse(b"", last=True)
        yield from self._taken()

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            raise HTTPProtocolError(f"the content is no well-formed XML: {error}") from error

    def _taken(self) -> list[Element]:
        ready, self._ready = self._ready, []
        return ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise HTTPTooLargeError(f"XML elements are more than {_DEEPEST} deep")
        full = _qualified(name)
        if self._builder is None:
            if (self._depth != 2) if self._tag is None else (full != self._tag):
                self._size = 0
                return
            self._builder = TreeBuilder()
            self._inside = self._depth
            self._size = 0
        self._builder.start(full, {_qualified(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        if self._builder is not None:
            self._builder.end(_qualified(name))
            if self._depth == self._inside:
                self._ready.append(self._builder.close())
                self._builder = None
                self._size = 0
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)
        else:
            self._size = 0

    def _refuse(self, *_: object) -> NoReturn:
        raise HTTPProtocolError("the XML declares entities, which are not expanded here")


def _qualified(name: str) -> str:
    return "{" + name if "}" in name else name
