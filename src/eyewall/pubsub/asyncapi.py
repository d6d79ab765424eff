"""An AsyncAPI document (version 3.0.0) of the topics that a hub has described."""

import re
import types
import typing
from typing import Any, Final

import msgspec

from eyewall.pubsub.hub import Hub

_REFERENCES: Final = "#/components/schemas/{name}"
_STRANGE: Final = re.compile(r"[^A-Za-z0-9]+")


def asyncapi(
    hub: Hub, *, title: str, version: str, description: str | None = None
) -> dict[str, Any]:
    """Describe a hub's topics and messages.

    Args:
        hub: The hub; what `Hub.describe` was told is in the document.
        title: The program's name.
        version: The program's version.
        description: What it is for, in Markdown.

    Example:
        >>> hub = Hub("memory:")
        >>> hub.describe("rooms/*", str)
        >>> document = asyncapi(hub, title="Chat", version="1")
        >>> document["channels"]["rooms_1"]["address"]
        'rooms/{segment2}'
    """
    described = hub.described()
    kinds = {pattern: _members(type_) for pattern, type_ in described}
    every = [kind for members in kinds.values() for kind in members]
    schemas, components = msgspec.json.schema_components(every, ref_template=_REFERENCES)
    payloads = dict(zip(map(id, every), schemas, strict=True))
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for pattern, members in kinds.items():
        name = _name(pattern, channels)
        address, parameters = _address(pattern)
        references: dict[str, Any] = {}
        for place, kind in enumerate(members, 1):
            label = getattr(kind, "__name__", f"{name}_message{place}")
            label = label if label.isidentifier() else f"{name}_message{place}"
            messages[label] = {
                "name": label,
                "contentType": "application/json",
                "payload": payloads[id(kind)],
            }
            references[label] = {"$ref": f"#/components/messages/{label}"}
        channels[name] = {"address": address, "messages": references}
        if parameters:
            channels[name]["parameters"] = parameters
        here = {"$ref": f"#/channels/{name}"}
        operations[f"send_{name}"] = {"action": "send", "channel": here}
        operations[f"receive_{name}"] = {"action": "receive", "channel": here}
    info = {"title": title, "version": version}
    if description is not None:
        info["description"] = description
    return {
        "asyncapi": "3.0.0",
        "info": info,
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": components, "messages": messages},
    }


def _members(type_: Any) -> tuple[Any, ...]:
    """The types of a union, each a message of its own."""
    if typing.get_origin(type_) in {typing.Union, types.UnionType}:
        return typing.get_args(type_)
    return (type_,)


def _name(pattern: str, taken: dict[str, Any]) -> str:
    base = _STRANGE.sub("_", pattern).strip("_") or "all"
    if base == pattern and base not in taken:
        return base
    number = 1
    while f"{base}_{number}" in taken:
        number += 1
    return f"{base}_{number}"


def _address(pattern: str) -> tuple[str, dict[str, Any]]:
    """A pattern as an address with parameters."""
    segments: list[str] = []
    parameters: dict[str, Any] = {}
    for place, segment in enumerate(pattern.split("/"), 1):
        if segment == "*":
            name, about = f"segment{place}", "One segment."
        elif segment == "**":
            name, about = "rest", "Any number of segments, none included."
        else:
            segments.append(segment)
            continue
        segments.append(f"{{{name}}}")
        parameters[name] = {"description": about}
    return "/".join(segments), parameters
