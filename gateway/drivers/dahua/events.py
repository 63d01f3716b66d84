"""What a terminal's rows become: punches, damaged rows, or nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from gateway.driver import Terminal
from gateway.drivers.dahua.codec import Bad, Item, Row
from gateway.profile import Profile, device_zone, utc_offset_s
from gateway.transports.log_place import Place
from shared.clock import CLOCK_SUSPECT_BEFORE_S, DeviceSeconds, MonotonicMs, WallMs
from shared.keys import Event
from shared.punch import Flag, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

LOCAL_TIME = "local_time"
"""Quirk: CreateTime is local time counted as if it were UTC."""
FRESH_S = 300
"""An event that is told as it happens is not older."""


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

    def offset_s(self, at: int) -> int:
        """Offset of the terminal's zone at that second of UTC."""
        offset = datetime.fromtimestamp(at, UTC).astimezone(self.zone).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def is_local(self, place: Place) -> bool:
        """Whether CreateTime counts local time, by profile or as found out."""
        return place.local or LOCAL_TIME in self.profile.quirks

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
        """Events of a page, of a report or of the stream; refusals and heartbeats give none."""
        found: list[Event] = []
        for item in items:
            if isinstance(item, Row):
                now_s = (now_ms + (drift_ms or 0)) // 1000 if live else None
                found.append(self.punch(item, place, seen_ms, drift_ms=drift_ms, live_s=now_s))
            elif isinstance(item, Bad):
                found.append(Damaged(self.serial, item.reason, item.raw[:DAMAGED_RAW_LIMIT], now_ms, seen_ms))
        return found

    def punch(self, row: Row, place: Place, seen_ms: MonotonicMs, *, drift_ms: int | None, live_s: int | None) -> Punch:
        """A punch; ``live_s`` is the terminal's clock in UTC when it told of it as it happened."""
        at, wall = self._times(row, self.is_local(place), live_s)
        flags = Flag(0) if live_s is None else Flag.REALTIME
        if wall < CLOCK_SUSPECT_BEFORE_S:
            flags |= Flag.CLOCK_SUSPECT
        return Punch(
            terminal=self.serial,
            user=row.user,
            at_device=wall,
            utc_offset_s=wall - at,
            at=at * 1000,
            direction=self.profile.direction(row.state),
            method=self.profile.method(row.method),
            raw_codes=row.raw_codes,
            native_seq=place.native(row.number),
            drift_ms=drift_ms,
            seen_ms=seen_ms,
            flags=flags,
        )

    def _times(self, row: Row, local: bool, live_s: int | None) -> tuple[int, DeviceSeconds]:
        """Seconds in UTC and as the wall clock shows them."""
        if row.real is not None:
            return row.real, row.real + self.offset_s(row.real)
        if live_s is not None:
            offset_s = self.offset_s(live_s)
            if abs(row.created - live_s) <= FRESH_S:
                local = False
            elif abs(row.created - live_s - offset_s) <= FRESH_S:
                local = True
        if local:
            return row.created - utc_offset_s(self.zone, row.created), row.created
        return row.created, row.created + self.offset_s(row.created)


def is_suspect(item: Item) -> bool:
    """Whether only the terminal's own number tells this punch from another of that second."""
    return isinstance(item, Row) and (item.real or item.created) < CLOCK_SUSPECT_BEFORE_S
