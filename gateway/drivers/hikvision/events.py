"""What a terminal's rows become: punches, damaged rows, or nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo

from gateway.driver import Terminal
from gateway.drivers.hikvision.codec import GRANTED, Bad, Item, Other, Row
from gateway.profile import Profile, device_zone, utc_offset_s
from gateway.transports.log_place import Place
from shared.clock import MonotonicMs, WallMs
from shared.keys import Event
from shared.punch import Flag, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns what one terminal wrote into events."""

    serial: str
    profile: Profile
    zone: tzinfo

    @classmethod
    def of(cls, terminal: Terminal, serial: str) -> "Reader":
        """The reader of a configured terminal."""
        return cls(serial, terminal.profile, device_zone(terminal.profile, terminal.config.zone, terminal.site_zone))

    @property
    def granted(self) -> frozenset[int]:
        """Minors that are punches on this model."""
        granted = self.profile.codes.granted
        return GRANTED if granted is None else frozenset(granted)

    def events(
        self,
        items: Iterable[Item],
        place: Place,
        now_ms: WallMs,
        seen_ms: MonotonicMs,
        *,
        drift_ms: int | None = None,
        live: bool = False,
    ) -> list[Event]:
        """Events of a page, of a push or of the stream; doors, refusals and heartbeats give none."""
        found: list[Event] = []
        for item in items:
            if isinstance(item, Row):
                found.append(self.punch(item, place, seen_ms, drift_ms=drift_ms, live=live))
            elif isinstance(item, Bad):
                found.append(Damaged(self.serial, item.reason, item.raw[:DAMAGED_RAW_LIMIT], now_ms, seen_ms))
        return found

    def punch(self, row: Row, place: Place, seen_ms: MonotonicMs, *, drift_ms: int | None, live: bool) -> Punch:
        """A punch; the offset that the terminal wrote counts before that of its zone."""
        offset_s = utc_offset_s(self.zone, row.at_device) if row.offset_s is None else row.offset_s
        flags = Flag.REALTIME if live and row.current else Flag(0)
        if row.clock_suspect:
            flags |= Flag.CLOCK_SUSPECT
        return Punch(
            terminal=self.serial,
            user=row.user,
            at_device=row.at_device,
            utc_offset_s=offset_s,
            at=(row.at_device - offset_s) * 1000,
            direction=self.profile.direction(row.attendance),
            method=self.profile.method(row.minor),
            raw_codes=row.raw_codes,
            native_seq=place.native(row.number),
            drift_ms=drift_ms,
            seen_ms=seen_ms,
            flags=flags,
        )


def is_suspect(item: Item) -> bool:
    """Whether only the terminal's own number tells this punch from another of that second."""
    return isinstance(item, Row) and item.clock_suspect


def front_of(item: Item) -> int | None:
    """Number of the event before this one, where a push tells it."""
    return item.front if isinstance(item, Row | Other) else None
