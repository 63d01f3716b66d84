"""What the rows of these terminals become."""

from collections.abc import Iterable
from typing import TypeGuard

from gateway.drivers.aiface_ws.codec import QR, Bad, Item, Row
from gateway.transports.source import Source
from shared.clock import WallMs
from shared.keys import Event
from shared.punch import Flag, Method

STRANGER_EVENT = "stranger_event"
"""Event 2 with a picture is somebody unknown (AI firmware), not a function key."""


def has_stranger_events(source: Source) -> bool:
    """Whether this model tells of strangers by event 2."""
    return STRANGER_EVENT in source.profile.quirks


def events_of(
    items: Iterable[Item], source: Source, now_ms: WallMs, seen_ms: int, *, index: int | None = None, live: bool = False
) -> list[Event]:
    """Punches and damaged rows; ``index`` is the terminal's number of the first item.

    No drift: the terminal sets its clock by each answer, so none that was read holds for older rows.
    """
    found: list[Event] = []
    for n, item in enumerate(items):
        if isinstance(item, Bad):
            found.append(source.damaged(item.reason, item.raw, now_ms, seen_ms))
        elif _is_row(item):
            found.append(
                source.punch(
                    item.user,
                    item.at_device,
                    item.raw_codes,
                    direction=source.profile.direction(item.inout),
                    method=Method.QR if item.verify == QR else source.profile.method(item.mode),
                    native_seq=None if index is None else index + n,
                    seen_ms=seen_ms,
                    flags=Flag.REALTIME if live else Flag(0),
                )
            )
    return found


def _is_row(item: Item) -> TypeGuard[Row]:
    return isinstance(item, Row)
