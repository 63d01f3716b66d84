"""docs/reference/asyncapi.yaml says what the code does: channels, envelopes, every field, every limit."""

from pathlib import Path
from typing import TypeAlias, cast, get_args

import msgspec
import pytest
import yaml

from shared import topics, wire
from shared.clock import ClockAnchor
from shared.punch import Punch
from shared.scan import Damaged, Scan
from shared.topics import Down, Up

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Object: TypeAlias = "dict[str, Json]"

PAGE: Object = yaml.safe_load((Path(__file__).parents[2] / "docs/reference/asyncapi.yaml").read_text())
EVENTS = (Punch, Scan, Damaged)
MESSAGES = (wire.Hello, wire.Ack, wire.Health, wire.Command, wire.Result)
DIRECTORY = (wire.DirectoryUser, wire.UserChange, wire.ChangeResult)
PARTS = (wire.StreamState, wire.StreamAck, wire.TerminalHealth, ClockAnchor, *DIRECTORY)
STRUCTS = (*EVENTS, *MESSAGES, *PARTS)
NAMES = [struct.__name__ for struct in STRUCTS]


def at(*path: str) -> Object:
    place = PAGE
    for step in path:
        place = cast("Object", place[step])
    return place


def plain(schema: Json) -> Json:
    """A schema without what only people read."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key not in ("description", "title")}
    return schema


def of_code(name: str) -> Json:
    _, components = msgspec.json.schema_components(STRUCTS, ref_template="#/components/schemas/{name}")
    return plain(cast("Json", msgspec.json.decode(msgspec.json.encode(components[name]))))


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_of_the_page_is_that_of_the_code(name: str) -> None:
    assert plain(at("components", "schemas", name)) == of_code(name)


@pytest.mark.parametrize("struct", [struct for struct in STRUCTS if struct.__struct_config__.array_like])
def test_the_places_of_an_array_bear_the_names_of_its_fields(struct: type[msgspec.Struct]) -> None:
    items = cast("list[Object]", at("components", "schemas", struct.__name__)["prefixItems"])
    tag = ["tag"] if struct.__struct_config__.tag is not None else []
    assert [item["title"] for item in items] == [*tag, *struct.__struct_fields__]


def test_the_page_has_a_channel_for_every_topic() -> None:
    addresses = {cast("Object", channel)["address"] for channel in at("channels").values()}
    gateway = "{gateway}"
    ours = {topics.up(gateway, kind) for kind in get_args(Up)} | {topics.down(gateway, kind) for kind in get_args(Down)}
    assert addresses == ours


def test_the_envelopes_have_the_items_that_the_page_names() -> None:
    ev = cast("list[Json]", msgspec.msgpack.decode(wire.encode_ev(b"s" * 16, 1, [b"x"])))
    ack = cast("list[Json]", msgspec.msgpack.decode(wire.encode_message(wire.Ack(streams=[]))))
    for name, message in (("EvEnvelope", ev), ("Envelope", ack)):
        items = cast("list[Object]", at("components", "schemas", name)["prefixItems"])
        assert len(items) == len(message)
        assert message[0] == items[0]["const"] == wire.VERSION
    assert [
        item["title"] for item in cast("list[Object]", at("components", "schemas", "EvEnvelope")["prefixItems"])
    ] == [
        "v",
        "stream",
        "first",
        "n",
        "body",
    ]


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    assert at("components", "x-limits") == {
        "messageBytes": wire.MAX_MESSAGE,
        "unpackedBytes": wire.MAX_UNPACKED,
        "eventsPerBatch": wire.MAX_EVENTS,
        "streamsPerHello": wire.MAX_HELLO_STREAMS,
        "changesPerCommand": wire.MAX_CHANGES,
        "usersPerResult": wire.MAX_RESULT_USERS,
        "highestSeq": wire.MAX_SEQ,
        "acceptedVersions": sorted(wire.ACCEPTED_VERSIONS),
    }


def test_every_reference_of_the_page_leads_somewhere() -> None:
    found = 0
    open_places: list[Json] = [PAGE]
    while open_places:
        place = open_places.pop()
        if isinstance(place, dict):
            if isinstance(reference := place.get("$ref"), str):
                at(*reference.removeprefix("#/").split("/"))
                found += 1
            open_places += place.values()
        elif isinstance(place, list):
            open_places += place
    assert found > 20
