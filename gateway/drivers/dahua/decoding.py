"""Captured messages read without a terminal."""

from collections.abc import Sequence

from gateway.device import Decoded, HealthFact, Trouble
from gateway.drivers.dahua import codec
from gateway.drivers.dahua.codec import Bad, Item, Other
from gateway.drivers.dahua.events import Reader
from gateway.transports.log_place import Place
from shared.errors import DataError


def decode(data: bytes, reader: Reader) -> Sequence[Decoded]:
    """What a capture says, message by message; DataError when nothing in it is of this family."""
    found = [_message(body, reader) for body in codec.capture_bodies(data)]
    if not any(one.events or one.health for one in found):
        raise DataError("nothing in it is an answer or an event of a Dahua terminal", code="unknown")
    return found


def _message(body: bytes, reader: Reader) -> Decoded:
    kind, items = _items(body)
    return Decoded(
        kind,
        tuple(reader.events([item for item in items if not isinstance(item, Bad)], Place(), 0, 0)),
        tuple(HealthFact("event", {"code": i.code, "error": i.error}) for i in items if isinstance(i, Other)),
        tuple(Trouble(i.reason, f"a row that is no punch: {i.reason}", i.raw) for i in items if isinstance(i, Bad)),
    )


def _items(body: bytes) -> tuple[str, Sequence[Item]]:
    if body.lstrip()[:6].lower() in (b"found=", b"totalc", b"record"):
        try:
            return "recordFinder", codec.page_of(body).items
        except DataError as error:
            return "recordFinder", [Bad(error.code, b"")]
    return "AccessControl", codec.push_items(body, "")
