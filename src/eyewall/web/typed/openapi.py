"""An OpenAPI 3.1 document of an application's routes, from the annotations that check them."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import fields

from eyewall.web.typed.parameters import Body, Form, Parameter, Plan

_REF: Final = "#/components/schemas/{name}"
_ANY: Final[dict[str, Any]] = {}


class Operation(NamedTuple):
    """One method of one path."""

    path: str
    """The path as OpenAPI writes it, with `{name}` for what varies."""
    method: str
    function: Callable[..., Any]
    plan: Plan | None
    path_types: dict[str, Any]


def document(operations: Iterator[Operation], info: dict[str, Any]) -> dict[str, Any]:
    """The document.

    Args:
        operations: What the application serves.
        info: The document's `info`: `title`, `version` and so on.
    """
    found = list(operations)
    schemas = _Schemas(found)
    paths: dict[str, dict[str, Any]] = {}
    for operation in found:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, schemas
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "API", "version": "1", **info},
        "paths": paths,
        "components": {"schemas": {**schemas.components, "Problem": _PROBLEM}},
    }


class _Schemas:
    """JSON Schemas of all types that the operations name."""

    def __init__(self, operations: list[Operation]) -> None:
        wanted: list[Any] = []
        for operation in operations:
            wanted += operation.path_types.values()
            if operation.plan is not None:
                wanted += (parameter.wanted for parameter in operation.plan.parameters)
                if operation.plan.returned is not None:
                    wanted.append(operation.plan.returned)
                for parameter in operation.plan.parameters:
                    if parameter.is_struct and parameter.source is not Body:
                        wanted += (field.type for field in fields(parameter.wanted))
        usable = [each for each in wanted if _describable(each)]
        schemas, self.components = msgspec.json.schema_components(usable, ref_template=_REF)
        self._known = list(zip(usable, schemas, strict=True))

    def of(self, wanted: Any) -> dict[str, Any]:
        """The schema of one type; an empty one for what has none."""
        for known, schema in self._known:
            if known is wanted or known == wanted:
                return schema
        return _ANY


def _describable(wanted: Any) -> bool:
    if wanted is inspect.Parameter.empty:
        return False
    try:
        msgspec.json.schema(wanted)
    except TypeError:
        return False
    return True


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    text = inspect.getdoc(operation.function) or ""
    summary, _, description = text.partition("\n")
    made: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}{_identifier(operation.path)}",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": schemas.of(wanted)}
            for name, wanted in operation.path_types.items()
        ],
        "responses": {"200": _answer(operation.plan, schemas)},
    }
    if summary:
        made["summary"] = summary
    if description.strip():
        made["description"] = description.strip()
    parameters = [] if operation.plan is None else operation.plan.parameters
    for parameter in parameters:
        if parameter.source is Body or parameter.source is Form:
            made["requestBody"] = _body(parameter, schemas)
        elif parameter.is_struct:
            made["parameters"] += [
                _in_query(field.encode_name, field.required, field.type, schemas)
                for field in fields(parameter.wanted)
            ]
        else:
            made["parameters"].append(
                _in_query(parameter.name, parameter.required, parameter.wanted, schemas)
            )
    if parameters:
        made["responses"]["422"] = {
            "description": "Something does not fit; every wrong field is named",
            "content": {
                "application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}
            },
        }
    return made


def _in_query(name: str, required: bool, wanted: Any, schemas: _Schemas) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schemas.of(wanted)}


def _body(parameter: Parameter, schemas: _Schemas) -> dict[str, Any]:
    content = {"schema": schemas.of(parameter.wanted)}
    kinds = ["application/x-www-form-urlencoded"]
    if parameter.source is Body:
        kinds = ["application/json", *kinds] if parameter.is_struct else ["application/json"]
    return {"required": parameter.required, "content": dict.fromkeys(kinds, content)}


def _answer(plan: Plan | None, schemas: _Schemas) -> dict[str, Any]:
    if plan is None or plan.returned is None:
        return {"description": "OK"}
    kind = "text/html" if plan.returned is str else "application/json"
    return {"description": "OK", "content": {kind: {"schema": schemas.of(plan.returned)}}}


def _identifier(path: str) -> str:
    words = "".join(char if char.isalnum() else " " for char in path).split()
    return "".join(word[:1].upper() + word[1:] for word in words) or "Root"


_PROBLEM: Final = {
    "title": "Problem",
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "in": {"type": "string"},
                    "field": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["in", "field", "detail"],
            },
        },
    },
    "required": ["title", "status", "errors"],
}
