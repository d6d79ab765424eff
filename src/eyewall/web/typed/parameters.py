"""What a handler's annotations ask for, found out once, when its route is made."""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, final, get_origin, get_type_hints

import msgspec

from eyewall.base.log import gen_log
from eyewall.web.errors import HTTPError
from eyewall.web.typed.validation import (
    FieldError,
    ValidationError,
    from_fields,
    from_json,
    from_texts,
)

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest

_NO_BODY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_NOTHING: Final[Any] = inspect.Parameter.empty


@final
class Source:
    """Where a parameter comes from; stands in `Annotated[T, Query]`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name.capitalize()


Body: Final = Source("body")
Query: Final = Source("query")
Form: Final = Source("form")


@final
class Parameter:
    """One parameter that is filled from the request."""

    __slots__ = ("default", "is_struct", "name", "source", "wanted")

    def __init__(self, name: str, wanted: Any, source: Source, default: Any) -> None:
        self.name = name
        self.wanted = wanted
        self.source = source
        self.default = default
        self.is_struct = is_struct(wanted)

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is _NOTHING

    def read(self, request: "HTTPServerRequest") -> Any:
        """The parameter's value.

        Raises:
            HTTPError: 400 for what is no JSON, 415 for a body of another kind.
            ValidationError: It does not fit.
        """
        if self.source is Body:
            return self._read_body(request)
        given = request.query_arguments if self.source is Query else _form(request)
        name = self.source.name
        if self.is_struct:
            texts = {key: _texts(values, name, key) for key, values in given.items()}
            return from_fields(texts, self.wanted, name)
        values = given.get(self.name)
        if not values:
            if self.required:
                raise ValidationError([FieldError(name, self.name, "Field required")])
            return self.default
        return from_texts(_texts(values, name, self.name), self.wanted, name, self.name)

    def _read_body(self, request: "HTTPServerRequest") -> Any:
        kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind in _FORMS and self.is_struct:
            given = _form(request)
            texts = {key: _texts(values, "form", key) for key, values in given.items()}
            return from_fields(texts, self.wanted, "form")
        if kind and kind != "application/json" and not kind.endswith("+json"):
            raise HTTPError(415, "the body is %s, not JSON", kind[:80])
        if not request.body and not self.required:
            return self.default
        try:
            return from_json(request.body, self.wanted)
        except ValueError as exc:
            raise HTTPError(400, "%s", exc) from exc


@final
class Plan:
    """What a handler asks for.

    Args:
        parameters: What is filled from the request.
        path: Types of the parameters that come from the path, by name.
        returned: What the return annotation says; None where it says nothing.
    """

    __slots__ = ("parameters", "path", "returned")

    def __init__(self, parameters: list[Parameter], path: dict[str, Any], returned: Any) -> None:
        self.parameters = parameters
        self.path = path
        self.returned = returned

    def read(self, request: "HTTPServerRequest") -> dict[str, Any]:
        """All parameters of a request.

        Raises:
            HTTPError: As for `Parameter.read`.
            ValidationError: With every wrong field of all parameters.
        """
        values: dict[str, Any] = {}
        errors: list[FieldError] = []
        for parameter in self.parameters:
            try:
                values[parameter.name] = parameter.read(request)
            except ValidationError as exc:
                errors += exc.errors
        if errors:
            raise ValidationError(errors)
        return values


def plan_of(
    function: Callable[..., Any], method: str, *, path_names: tuple[str, ...] | None
) -> Plan | None:
    """What a handler's annotations ask for; None where they ask for nothing.

    Args:
        function: A verb, or a function that takes the request first.
        method: Structs come from the query where this method has no body.
        path_names: Parameters that the path gives. None for verbs of classes, whose path
            arguments are not known by name: there only structs, and what is annotated with a
            source, come from the request.

    Raises:
        TypeError: Two parameters want the body.
    """
    signature = _signature(function)
    if signature is None:
        return None
    parameters: list[Parameter] = []
    path: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        wanted, source = _wanted(parameter.annotation)
        source = source or _source(parameter.name, wanted, method, path_names)
        if source is None:
            path[parameter.name] = wanted
        else:
            parameters.append(Parameter(parameter.name, wanted, source, parameter.default))
    if sum(parameter.source is Body for parameter in parameters) > 1:
        raise TypeError(f"{function.__qualname__}: only one parameter can be the body")
    returned = signature.return_annotation
    if returned in {_NOTHING, None, type(None), Any} or is_waiting(returned):
        returned = None
    if not parameters and returned is None:
        return None
    return Plan(parameters, path, returned)


def _source(
    name: str, wanted: Any, method: str, path_names: tuple[str, ...] | None
) -> Source | None:
    """Where a parameter that does not say it comes from; None for the path."""
    if path_names is not None and name in path_names:
        return None
    if is_struct(wanted):
        return Query if method in _NO_BODY else Body
    return None if path_names is None or wanted is _NOTHING else Query


def is_struct(wanted: Any) -> bool:
    """Whether a type is a `msgspec.Struct`."""
    bare = get_origin(wanted) or wanted
    return isinstance(bare, type) and issubclass(bare, msgspec.Struct)


def is_waiting(returned: Any) -> bool:
    """Whether a return type only says that the function can be awaited."""
    bare = get_origin(returned) or returned
    return isinstance(bare, type) and issubclass(bare, Awaitable)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(inspect.unwrap(function), include_extras=True)
    except (NameError, TypeError, ValueError, AttributeError) as exc:
        # Names that only a type checker sees cannot be types that are decoded here.
        gen_log.debug("the annotations of %r say nothing: %s", function, exc)
        return None
    return signature.replace(
        parameters=[
            parameter.replace(annotation=hints.get(name, _NOTHING))
            for name, parameter in signature.parameters.items()
        ],
        return_annotation=hints.get("return", _NOTHING),
    )


def _wanted(annotation: Any) -> tuple[Any, Source | None]:
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, Source):
            others = tuple(each for each in annotation.__metadata__ if each is not extra)
            bare = annotation.__origin__
            return (annotation.copy_with((bare,)) if others else bare), extra
    return annotation, None


def _form(request: "HTTPServerRequest") -> dict[str, list[bytes]]:
    return request.body_arguments


def _texts(values: list[bytes], source: str, name: str) -> list[str]:
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise ValidationError([FieldError(source, name, "Not UTF-8")]) from None
