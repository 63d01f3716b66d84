"""What one terminal wrote, as events."""

from dataclasses import dataclass
from datetime import tzinfo

from gateway.drivers.zk4370.codec import BadRow, LogRow
from gateway.drivers.zk4370.conversation import ClockReading
from gateway.profile import Profile, utc_offset_s
from shared.clock import CLOCK_SUSPECT_BEFORE_S, WallMs
from shared.punch import Direction, Flag, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

NO_STATE_KEY = 255


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns what one terminal wrote into events."""

    serial: str
    profile: Profile
    zone: tzinfo

    def punch(self, row: LogRow, drift_ms: int | None, seen_ms: int, number: int | None = None) -> Punch:
        """A punch from the log (``number`` = its place there) or, without number, as it happened."""
        offset_s = utc_offset_s(self.zone, row.at)
        direction = self.profile.direction(row.state)
        flags = Flag(0) if number is not None else Flag.REALTIME
        if row.at < CLOCK_SUSPECT_BEFORE_S:
            flags |= Flag.CLOCK_SUSPECT
        if row.state == NO_STATE_KEY and direction is not Direction.UNKNOWN:
            flags |= Flag.DIRECTION_FROM_PROFILE
        codes = (row.verify, row.state) if row.work_code is None else (row.verify, row.state, row.work_code)
        return Punch(
            terminal=self.serial,
            user=row.user,
            at_device=row.at,
            utc_offset_s=offset_s,
            at=(row.at - offset_s) * 1000,
            direction=direction,
            method=self.profile.method(row.verify),
            raw_codes=codes,
            native_seq=number,
            drift_ms=drift_ms,
            seen_ms=seen_ms,
            flags=flags,
        )

    def damaged(self, row: BadRow, now_ms: WallMs, seen_ms: int) -> Damaged:
        """A record that is no punch, with its bytes."""
        return Damaged(self.serial, row.reason, row.raw[:DAMAGED_RAW_LIMIT], now_ms, seen_ms)

    def drift_ms(self, reading: ClockReading) -> int | None:
        """Terminal clock minus gateway clock; the terminal shows whole seconds, half of one is added."""
        if reading.device is None:
            return None
        offset_s = utc_offset_s(self.zone, reading.device)
        return (reading.device - offset_s) * 1000 + 500 - reading.gateway_ms
