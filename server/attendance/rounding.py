"""Times rounded to a unit: IN up, OUT down (AR-20, AR-39)."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from server.attendance.kept import Kept
from server.attendance.pairing import Sides
from server.attendance.policy import Policy
from server.attendance.schedule import MINUTE_MS
from server.attendance.spans import Minute
from shared.clock import from_ms


def rounded(sides: Sides, zone: ZoneInfo, policy: Policy) -> Sides:
    """Sides as they count; those with a side missing stay as they are."""
    if not (policy.in_round_min or policy.out_round_min) or sides.lone_in or sides.lone_out:
        return sides
    pairs = []
    for start, end in sides.pairs:
        came = _up(start.minute, policy.in_round_min, zone)
        went = _down(end.minute, policy.out_round_min, zone)
        pairs.append((_moved(start, came), _moved(end, max(came, went))))
    return replace(sides, pairs=tuple(pairs), rules=(*sides.rules, "AR-20", "AR-39"))


def _moved(punch: Kept, minute: Minute) -> Kept:
    return replace(punch, minute=minute)


def _down(minute: Minute, unit: int, zone: ZoneInfo) -> Minute:
    """The last full unit on the wall."""
    return minute - _over(minute, unit, zone)


def _up(minute: Minute, unit: int, zone: ZoneInfo) -> Minute:
    over = _over(minute, unit, zone)
    return minute + unit - over if over else minute


def _over(minute: Minute, unit: int, zone: ZoneInfo) -> int:
    if not unit:
        return 0
    wall = from_ms(minute * MINUTE_MS).astimezone(zone)
    return (wall.hour * 60 + wall.minute) % unit
