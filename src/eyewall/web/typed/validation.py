"""Values from outside as the types that a handler asks for; every wrong field is named."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

_decode: Final = msgspec.json.decode
# More would say nothing new, and a client could ask for a very long answer.
MOST_ERRORS: Final = 100


class FieldError(NamedTuple):
    """What is wrong with one field: where it came from, its path, and why."""

    source: str
    field: str
    message: str


class ValidationError(Exception):
    """What a client sent does not fit; answered 422.

    Args:
        errors: Every wrong field.
    """

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors[:5]))
        self.errors = errors

    def problem(self) -> dict[str, Any]:
        """The answer's body, in the form of RFC 9457."""
        return {
            "title": "Unprocessable Content",
            "status": 422,
            "errors": [
                {"in": error.source, "field": error.field, "detail": error.message}
                for error in self.errors
            ],
        }


def from_json(body: bytes, wanted: Any) -> Any:
    """A JSON text as a type.

    Raises:
        ValidationError: It does not fit.
        ValueError: It is no JSON.
    """
    try:
        try:
            return _decode(body, type=wanted)
        except msgspec.ValidationError as exc:
            first, value = exc, _decode(body)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ValueError(f"the body is no JSON: {exc}") from None
    raise _failure("body", _errors(value, wanted, "", strict=True), first)


def from_fields(given: Mapping[str, list[str]], wanted: Any, source: str) -> Any:
    """A query or a form as a struct: each field takes the last value, or all where it is a list.

    Raises:
        ValidationError: It does not fit.
    """
    values: dict[str, Any] = {}
    for field in fields(wanted):
        texts = given.get(field.encode_name)
        if texts:
            values[field.encode_name] = texts if _is_list(field.type) else texts[-1]
    return _convert(values, wanted, source, "")


def from_texts(texts: list[str], wanted: Any, source: str, name: str) -> Any:
    """The values of one parameter as a type.

    Raises:
        ValidationError: They do not fit.
    """
    return _convert(texts if _is_list(wanted) else texts[-1], wanted, source, name)


def _convert(value: Any, wanted: Any, source: str, name: str) -> Any:
    try:
        return msgspec.convert(value, wanted, strict=False)
    except msgspec.ValidationError as exc:
        raise _failure(source, _errors(value, wanted, name, strict=False), exc) from None


def _failure(source: str, errors: Iterator[tuple[str, str]], first: Exception) -> ValidationError:
    found: list[FieldError] = []
    for field, message in errors:
        found.append(FieldError(source, field, message))
        if len(found) == MOST_ERRORS:
            break
    # What only the whole shows, such as a struct's own check.
    return ValidationError(found or [FieldError(source, "", str(first))])


def _errors(value: Any, wanted: Any, path: str, *, strict: bool) -> Iterator[tuple[str, str]]:
    """Every part of a value that does not fit, as far down as structs and lists go."""
    struct = _struct_of(wanted)
    if struct is not None and isinstance(value, dict):
        yield from _struct_errors(value, struct, path, strict=strict)
        return
    if _is_list(wanted) and isinstance(value, list) and (inner := get_args(_bare(wanted))):
        for index, item in enumerate(value):
            yield from _errors(item, inner[0], f"{path}[{index}]", strict=strict)
        return
    try:
        msgspec.convert(value, wanted, strict=strict)
    except msgspec.ValidationError as exc:
        yield path, str(exc)


def _struct_errors(
    value: dict[str, Any], struct: type[msgspec.Struct], path: str, *, strict: bool
) -> Iterator[tuple[str, str]]:
    known: dict[str, FieldInfo] = {field.encode_name: field for field in fields(struct)}
    for name, field in known.items():
        here = f"{path}.{name}" if path else name
        if name in value:
            yield from _errors(value[name], field.type, here, strict=strict)
        elif field.required:
            yield here, "Field required"
    if struct.__struct_config__.forbid_unknown_fields:
        for name in value:
            if name not in known:
                yield (f"{path}.{name}" if path else str(name)), "Field not known"


def _bare(wanted: Any) -> Any:
    """A type without its `Annotated` and without the None that it may be."""
    if hasattr(wanted, "__metadata__"):
        return _bare(wanted.__origin__)
    arguments = [part for part in get_args(wanted) if part is not type(None)]
    if len(arguments) == 1 and type(None) in get_args(wanted):
        return _bare(arguments[0])
    return wanted


def _is_list(wanted: Any) -> bool:
    bare = _bare(wanted)
    return (get_origin(bare) or bare) in {list, tuple, set, frozenset}


def _struct_of(wanted: Any) -> type[msgspec.Struct] | None:
    bare = get_origin(_bare(wanted)) or _bare(wanted)
    return bare if isinstance(bare, type) and issubclass(bare, msgspec.Struct) else None
