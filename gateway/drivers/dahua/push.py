"""Pushed reports of Dahua and Intelbras terminals."""

import re
from collections.abc import Sequence

from gateway.driver import DriverContext, Terminal
from gateway.drivers.dahua import codec
from gateway.drivers.dahua.events import Reader
from gateway.transports.log_place import Place
from gateway.transports.multipart import Part
from gateway.transports.report_server import Report, ReportServer

FAMILY = "dahua"
_NAMES = re.compile(
    rb'"?(?:SerialNo|SN|DeviceID|IPAddress|PhysicalAddress)"?\s{0,4}[:=]\s{0,4}"?([\w.:-]{1,64})', re.IGNORECASE
)


def push_server(terminals: Sequence[Terminal], context: DriverContext) -> ReportServer:
    """The server for all terminals of the family."""

    def read(terminal: Terminal, serial: str, parts: Sequence[Part], place: Place) -> Report:
        reader = Reader.of(terminal, serial)
        items = [item for part in parts for item in codec.part_items(part)]
        now_ms, drift_ms = context.clocks.wall_ms(), terminal.state.drift_ms
        events = reader.events(items, place, now_ms, context.seen_ms(), drift_ms=drift_ms, live=True)
        return Report(events, max((item.number for item in items if item.number is not None), default=None))

    return ReportServer(FAMILY, terminals, context, read, names_in)


def names_in(parts: Sequence[Part]) -> set[str]:
    """Names that the sender gives itself in the message."""
    return {name.decode("ascii", "replace") for part in parts for name in _NAMES.findall(part.body[:65_536])}
