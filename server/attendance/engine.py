"""The attendance engine: a pure function from what is known of one person to day records.

Same input, any arrival order, any number of replays: same output. Built so far: AR-1 to AR-10, AR-12 to AR-18, AR-21,
AR-22, AR-36 and the flag of AR-29; the rules of overtime, holidays, seams and closing take further fields of ``Facts``
and ``Policy`` and steps of their own.
"""

from collections.abc import Collection
from datetime import date
from zoneinfo import ZoneInfo

from server.attendance.assign import assign, keep, windows
from server.attendance.day import free_record, shift_record
from server.attendance.facts import Facts, Shift
from server.attendance.policy import DEFAULT, Policy
from server.attendance.record import DayRecord
from server.attendance.schedule import MINUTE_MS, lay_out
from shared.clock import WallMs


def compute(
    facts: Facts,
    zone: ZoneInfo,
    policy: Policy = DEFAULT,
    *,
    dates: Collection[date] | None = None,
    now_ms: WallMs | None = None,
) -> list[DayRecord]:
    """Records by date and shift start, of all dates or of ``dates`` only.

    ``facts`` must reach two days beyond ``dates`` on both sides. At ``now_ms`` a shift may be running: who is not there
    yet is ``not_yet`` until it ends, who is there has minutes pending until the window closes. Without it, all is over.
    """
    kept = keep(facts.punches, policy)
    laid_out = windows([lay_out(shift, zone) for shift in set(facts.shifts)], policy)
    shifts, free = assign(laid_out, kept, facts.punches, zone)
    now = None if now_ms is None else now_ms // MINUTE_MS
    records: list[DayRecord] = []
    parts: dict[date, int] = {}
    for assigned in shifts:
        day = assigned.window.schedule.date
        part = parts[day] = parts.get(day, -1) + 1
        if dates is None or day in dates:
            record = shift_record(assigned, part, facts.absences, policy, now)
            records += [record] if record is not None else []
    days = ((day, punches) for day, punches in free.items() if dates is None or day in dates)
    records.extend(free_record(day, punches, policy) for day, punches in days)
    return sorted(records, key=lambda record: (record.date, record.part))


def turning_points(shift: Shift, zone: ZoneInfo, policy: Policy = DEFAULT) -> tuple[WallMs, WallMs, WallMs]:
    """When a shift's record changes without a punch: its window opens, it ends, its window has closed."""
    schedule = lay_out(shift, zone)
    end = schedule.end + schedule.room
    opens, closed = schedule.start - policy.window_before_min, end + policy.window_after_min + 1
    return opens * MINUTE_MS, end * MINUTE_MS, closed * MINUTE_MS
