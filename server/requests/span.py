"""Local times as instants, and the scheduled minutes that lie between two."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from server.attendance.facts import Shift
from server.attendance.policy import DEFAULT, Policy
from server.attendance.requested import Requested, by_shift
from server.attendance.schedule import MINUTE_MS, lay_out
from server.attendance.spans import common, length
from shared.clock import WallMs, from_ms, to_ms
from shared.errors import DataError

_DAY = timedelta(days=1)


def instant(text: str, zone: ZoneInfo) -> WallMs:
    """Milliseconds of ``2026-03-02T09:00`` in the zone; an offset at its end says which of two equal times is meant.

    DataError ``bad_time`` for what is no time, ``no_such_time`` for one that clocks skip in this zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"time {text!r}: expected such as 2026-03-02T09:00", "bad_time") from error
    at = at.replace(second=0, microsecond=0)
    if at.tzinfo is not None:
        return to_ms(at)
    moment = to_ms(at.replace(tzinfo=zone))
    if from_ms(moment).astimezone(zone).replace(tzinfo=None) != at:
        raise DataError(f"time {text!r} does not exist in {zone.key}: clocks go forward then", "no_such_time")
    return moment


def local_dates(from_ms_: WallMs, to_ms_: WallMs, zone: ZoneInfo) -> tuple[date, ...]:
    """Local dates with a moment in ``from <= t < to``; that of ``from`` in any case."""
    first = from_ms(from_ms_).astimezone(zone).date()
    last = from_ms(max(from_ms_, to_ms_ - 1)).astimezone(zone).date()
    return tuple(first + number * _DAY for number in range((last - first).days + 1))


def midnights(day: date, zone: ZoneInfo) -> tuple[WallMs, WallMs]:
    """First moment of a local date and of the one after it."""
    first, second = (datetime.combine(one, datetime.min.time(), zone) for one in (day, day + _DAY))
    return to_ms(first), to_ms(second)


def covered(
    shifts: Iterable[Shift], from_ms_: WallMs, to_ms_: WallMs, zone: ZoneInfo, unit_min: int = 1
) -> dict[date, int]:
    """Scheduled net minutes between two instants by attendance date; breaks and free days count nothing.

    Of each shift they are rounded up to the unit, but never beyond the shift: a day off is a day, however long it is. A
    flexible shift counts from its earliest start.
    """
    span = ((from_ms_ // MINUTE_MS, to_ms_ // MINUTE_MS),)
    found: dict[date, int] = {}
    for shift in set(shifts):
        net = lay_out(shift, zone).net
        minutes = length(common(net, span))
        if minutes:
            rounded = min(-(-minutes // unit_min) * unit_min, length(net))
            found[shift.date] = found.get(shift.date, 0) + rounded
    return dict(sorted(found.items()))


def dates_of_span(shifts: Iterable[Shift], from_ms_: WallMs, to_ms_: WallMs, zone: ZoneInfo) -> tuple[date, ...]:
    """Attendance dates that an absence is about: of the shifts it covers, and local dates without one."""
    by_shift = covered(shifts, from_ms_, to_ms_, zone)
    return tuple(sorted(by_shift)) or local_dates(from_ms_, to_ms_, zone)


def date_of_overtime(
    shifts: Iterable[Shift], from_ms_: WallMs, to_ms_: WallMs, zone: ZoneInfo, policy: Policy = DEFAULT
) -> tuple[date, bool]:
    """Attendance date of overtime, and whether it belongs to a shift (AR-7); else its local date (AR-9)."""
    schedules = [lay_out(shift, zone) for shift in set(shifts)]
    requested = Requested(from_ms_ // MINUTE_MS, to_ms_ // MINUTE_MS, to_comp=False)
    owner = next(iter(by_shift(schedules, [requested], policy)), None)
    if owner is None:
        return from_ms(from_ms_).astimezone(zone).date(), False
    return schedules[owner].date, True


def date_of_punch(shifts: Iterable[Shift], at_ms: WallMs, zone: ZoneInfo, policy: Policy = DEFAULT) -> date:
    """Attendance date of a punch: of the nearest shift whose window holds it, else the local date."""
    minute = at_ms // MINUTE_MS
    near: list[tuple[int, date]] = []
    for shift in set(shifts):
        schedule = lay_out(shift, zone)
        end = schedule.end + schedule.room
        if schedule.start - policy.window_before_min <= minute <= end + policy.window_after_min:
            near.append((max(schedule.start - minute, minute - end, 0), shift.date))
    return min(near)[1] if near else from_ms(at_ms).astimezone(zone).date()
