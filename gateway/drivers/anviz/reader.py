"""Turns what one Anviz terminal wrote into events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from gateway.drivers.anviz.codec import BadRow, LogRow
from gateway.drivers.anviz.conversation import ClockReading
from gateway.profile import Profile, utc_offset_s
from shared.clock import CLOCK_SUSPECT_BEFORE_S, WallMs, device_seconds
from shared.keys import Event
from shared.punch import Flag, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

NO_FLAGS = Flag(0)


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns what one terminal wrote into events."""

    serial: str
    profile: Profile
    zone: tzinfo

    def punch(
        self, row: LogRow, drift_ms: int | None, seen_ms: int, number: int | None = None, flags: Flag = NO_FLAGS
    ) -> Punch:
        """A punch; ``number`` is its place in the log, where that is known."""
        offset_s = utc_offset_s(self.zone, row.at)
        if row.at < CLOCK_SUSPECT_BEFORE_S:
            flags |= Flag.CLOCK_SUSPECT
        return Punch(
            terminal=self.serial,
            user=row.user,
            at_device=row.at,
            utc_offset_s=offset_s,
            at=(row.at - offset_s) * 1000,
            direction=self.profile.direction(row.state),
            method=self.profile.method(row.backup),
            raw_codes=(row.backup, row.kind, row.work_code),
            native_seq=number,
            drift_ms=drift_ms,
            seen_ms=seen_ms,
            flags=flags,
        )

    def events(
        self, rows: Sequence[LogRow | BadRow], first: int, drift_ms: int | None, now_ms: WallMs, seen_ms: int
    ) -> list[Event]:
        """Events of records in the log, the first of which has the number ``first``."""
        found: list[Event] = []
        number = first
        for row in rows:
            if isinstance(row, LogRow):
                found.append(self.punch(row, drift_ms, seen_ms, number))
                number += 1
            else:
                found.append(Damaged(self.serial, row.reason, row.raw[:DAMAGED_RAW_LIMIT], now_ms, seen_ms))
                number += row.records
        return found

    def drift_ms(self, reading: ClockReading) -> int | None:
        """Terminal clock minus gateway clock; the terminal shows whole seconds, half of one is added."""
        if reading.device is None:
            return None
        second = device_seconds(reading.device)
        return (second - utc_offset_s(self.zone, second)) * 1000 + 500 - reading.gateway_ms
