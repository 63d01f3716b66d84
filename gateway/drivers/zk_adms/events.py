"""Rows of push terminals as events."""

from datetime import datetime, tzinfo

from gateway.drivers.zk_adms import codec
from gateway.profile import Profile
from shared.punch import Direction, Flag, Method, Punch

GRANTED = frozenset(range(20))
"""Events of the security dialect that let a person in, unless the profile lists its own."""


def granted_of(profile: Profile) -> frozenset[int]:
    """Events of the security dialect that are punches on this model."""
    return GRANTED if profile.codes.granted is None else frozenset(profile.codes.granted)


def offset_s(zone: tzinfo, wall: datetime) -> int:
    """Offset of the device's zone at that naive device time."""
    offset = wall.replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def punch_of(row: codec.Row, serial: str, zone: tzinfo, profile: Profile | None, seen_ms: int) -> Punch:
    """The event of a row; without a profile of the row's dialect the codes stay numbers."""
    ahead_s = offset_s(zone, row.wall)
    return Punch(
        terminal=serial,
        user=row.user,
        at_device=row.at_device,
        utc_offset_s=ahead_s,
        at=(row.at_device - ahead_s) * 1000,
        direction=profile.direction(row.state) if profile else Direction.UNKNOWN,
        method=profile.method(row.verify) if profile else Method.UNKNOWN,
        raw_codes=row.raw_codes,
        native_seq=row.index,
        seen_ms=seen_ms,
        flags=Flag.CLOCK_SUSPECT if row.clock_suspect else Flag(0),
    )
