"""Pushes (httpHosts) of Hikvision terminals."""

from collections.abc import Sequence

from gateway.driver import DriverContext, Terminal
from gateway.drivers.hikvision import codec
from gateway.drivers.hikvision.events import Reader, front_of
from gateway.transports.log_place import Place
from gateway.transports.multipart import Part
from gateway.transports.report_server import Report, ReportServer
from shared.errors import DataError

FAMILY = "hikvision"


def push_server(terminals: Sequence[Terminal], context: DriverContext) -> ReportServer:
    """The server for all terminals of the family."""

    def read(terminal: Terminal, serial: str, parts: Sequence[Part], place: Place) -> Report:
        reader = Reader.of(terminal, serial)
        items = [item for part in parts for item in codec.part_items(part, reader.granted)]
        now_ms, drift_ms = context.clocks.wall_ms(), terminal.state.drift_ms
        events = reader.events(items, place, now_ms, context.seen_ms(), drift_ms=drift_ms, live=True)
        number = max((item.number for item in items if item.number is not None), default=None)
        return Report(events, number, min((f for f in map(front_of, items) if f is not None), default=None))

    return ReportServer(FAMILY, terminals, context, read, names_in)


def names_in(parts: Sequence[Part]) -> set[str]:
    """Names that the sender gives itself in the message."""
    found: set[str] = set()
    for part in parts:
        try:
            node = codec.any_node(part.body)
        except DataError:
            continue
        node = codec.child(node, "EventNotificationAlert") or node
        found |= {codec.text_of(node, name) for name in ("deviceID", "serialNumber", "ipAddress")}
    return found - {""}
