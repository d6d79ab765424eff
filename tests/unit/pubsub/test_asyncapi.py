"""The AsyncAPI document of a hub."""

import doctest
import re

import msgspec

from eyewall.pubsub import Hub, access, asyncapi


class Said(msgspec.Struct, tag=True):
    """Somebody said something."""

    text: str


class Left(msgspec.Struct, tag=True):
    who: str


def references(document):
    """Everything that the document points to."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def resolve(document, reference):
    for name in reference.removeprefix("#/").split("/"):
        document = document[name]
    return document


def test_every_described_topic_is_a_channel_with_its_messages():
    hub = Hub()
    hub.describe("rooms/*/said", Said | Left)
    hub.describe("log/**", dict[str, int])
    hub.describe("news", Said)
    document = asyncapi.asyncapi(hub, title="Chat", version="2", description="Talk.")
    assert document["asyncapi"] == "3.0.0"
    assert document["info"] == {"title": "Chat", "version": "2", "description": "Talk."}
    rooms, log, news = document["channels"].values()
    assert rooms["address"] == "rooms/{segment2}/said"
    assert set(rooms["parameters"]) == {"segment2"}
    assert set(rooms["messages"]) == {"Said", "Left"}
    assert log["address"] == "log/{rest}"
    assert (news["address"], "parameters" in news) == ("news", False)
    said = resolve(document, document["components"]["messages"]["Said"]["payload"]["$ref"])
    assert said["properties"]["text"] == {"type": "string"}
    assert said["description"] == "Somebody said something."
    assert {each["action"] for each in document["operations"].values()} == {"send", "receive"}


def test_the_document_points_only_to_what_it_has_and_its_names_are_names():
    hub = Hub()
    for pattern in ("a/*", "a/**", "**", "a", "ü/é", "a-b/c", "a_1"):
        hub.describe(pattern, Said)
    document = asyncapi.asyncapi(hub, title="T", version="1")
    assert len(document["channels"]) == 7
    for name in document["channels"]:
        assert re.fullmatch(r"\w[\w-]*", name, re.ASCII)
    for reference in references(document):
        assert resolve(document, reference)
    assert msgspec.json.encode(document)


def test_a_hub_that_describes_nothing_has_an_empty_document():
    assert asyncapi.asyncapi(Hub(), title="T", version="1")["channels"] == {}


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(asyncapi).failed == 0
    assert doctest.testmod(access).failed == 0
