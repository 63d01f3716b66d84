"""Turns what one Hanvon terminal wrote into events."""

from dataclasses import dataclass
from datetime import tzinfo

from gateway.drivers.hanvon.codec import CARD_TYPES, BadRow, RecordRow
from gateway.drivers.hanvon.conversation import ClockReading
from gateway.profile import Profile, utc_offset_s
from shared.clock import CLOCK_SUSPECT_BEFORE_S, WallMs, device_seconds
from shared.punch import Direction, Flag, Method, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged


@dataclass(frozen=True, slots=True)
class Reader:
    """Names and zone of one terminal."""

    serial: str
    profile: Profile
    zone: tzinfo

    def punch(self, row: RecordRow, drift_ms: int | None, seen_ms: int) -> Punch:
        """A punch; a card type that names a direction comes before the work state, which is set at the terminal."""
        offset_s = utc_offset_s(self.zone, row.at)
        flags = Flag(0)
        if row.at < CLOCK_SUSPECT_BEFORE_S:
            flags |= Flag.CLOCK_SUSPECT
        if told := CARD_TYPES.get(row.card_type):
            direction = Direction[told.upper()]
        else:
            direction = Direction.UNKNOWN if row.status is None else self.profile.direction(row.status)
            if direction is not Direction.UNKNOWN:
                flags |= Flag.DIRECTION_FROM_PROFILE
        codes = () if row.status is None else (row.status,)
        return Punch(
            terminal=self.serial,
            user=row.user,
            at_device=row.at,
            utc_offset_s=offset_s,
            at=(row.at - offset_s) * 1000,
            direction=direction,
            method=Method.FACE if row.kind == "face" else Method.UNKNOWN,
            raw_codes=codes if row.work_code is None or not codes else (*codes, row.work_code),
            drift_ms=drift_ms,
            seen_ms=seen_ms,
            flags=flags,
        )

    def damaged(self, row: BadRow, now_ms: WallMs, seen_ms: int) -> Damaged:
        """A row that is no punch, with its fields."""
        return Damaged(self.serial, row.reason, row.raw[:DAMAGED_RAW_LIMIT], now_ms, seen_ms)

    def drift_ms(self, reading: ClockReading) -> int | None:
        """Terminal clock minus gateway clock; the terminal shows whole seconds, half of one is added."""
        if reading.device is None:
            return None
        second = device_seconds(reading.device)
        return (second - utc_offset_s(self.zone, second)) * 1000 + 500 - reading.gateway_ms
