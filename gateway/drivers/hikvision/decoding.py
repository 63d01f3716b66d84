"""Captured messages read without a terminal."""

from collections.abc import Sequence

from gateway.device import Decoded, HealthFact, Trouble
from gateway.drivers.hikvision import codec
from gateway.drivers.hikvision.codec import Bad, Item, Other
from gateway.drivers.hikvision.events import Reader
from gateway.transports.log_place import Place
from shared.errors import DataError


def decode(data: bytes, reader: Reader) -> Sequence[Decoded]:
    """What a capture says, message by message; DataError when nothing in it is of this family."""
    found = [_message(body, reader) for body in codec.capture_bodies(data)]
    if not any(one.events or one.health for one in found):
        raise DataError("nothing in it is an AcsEvent page or an access event of a Hikvision terminal", code="unknown")
    return found


def _message(body: bytes, reader: Reader) -> Decoded:
    kind, items = _items(body, reader)
    return Decoded(
        kind,
        tuple(reader.events([item for item in items if not isinstance(item, Bad)], Place(), 0, 0)),
        tuple(HealthFact("event", {"major": i.major, "minor": i.minor}) for i in items if isinstance(i, Other)),
        tuple(Trouble(i.reason, f"a row that is no punch: {i.reason}", i.raw) for i in items if isinstance(i, Bad)),
    )


def _items(body: bytes, reader: Reader) -> tuple[str, Sequence[Item]]:
    if b'"AcsEvent"' in body[:200]:
        try:
            return "AcsEvent", codec.page_of(body, reader.granted).items
        except DataError as error:
            return "AcsEvent", [Bad(error.code, b"")]
    return "AccessControllerEvent", codec.push_items(body, "", reader.granted)
