"""The attendance engine: a pure function from what is known of one person to day records.

Same input, any arrival order, any number of replays: same output.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from server.attendance.assign import Assigned, add_without_effect, assign, local_date
from server.attendance.day import Judged, judge, shift_record
from server.attendance.facts import Facts, Shift
from server.attendance.free import free_record
from server.attendance.kept import Kept, keep
from server.attendance.limits import flag_long_days
from server.attendance.policy import DEFAULT, Policy
from server.attendance.record import DayRecord
from server.attendance.requested import Requested, in_force
from server.attendance.schedule import MINUTE_MS, lay_out
from server.attendance.seam import close_seams, seams
from server.attendance.spans import Minute
from server.attendance.terms import Terms, spans_of_leaves, spans_of_trips
from server.attendance.untimed import untimed_record
from server.attendance.windows import windows
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
    requests = in_force(facts.overtime)
    laid_out = windows([lay_out(shift, zone) for shift in set(facts.shifts)], policy, requests)
    shifts, free = assign(laid_out, keep(facts.punches, policy), zone, policy, requests)
    add_without_effect(shifts, facts.punches, policy)
    terms = Terms(
        zone,
        policy,
        facts.calendar,
        leaves=spans_of_leaves(facts.absences),
        trips=spans_of_trips(facts.absences),
        requests=requests,
        now=None if now_ms is None else now_ms // MINUTE_MS,
        left=_left(shifts, free) if policy.late_leave else {},
    )
    parts, wanted = _parts(shifts, dates)
    judged = _judged(shifts, wanted, terms)
    make = untimed_record if policy.system == "untimed" else shift_record
    records = [make(judged[at], parts[at], terms) for at in wanted if at in judged]
    by_date = _free_requests(shifts, terms) if requests else {}
    for day, punches in free.items():
        if dates is None or day in dates:
            records.append(free_record(day, punches, tuple(by_date.get(day, ())), terms))
    return flag_long_days(sorted(records, key=_order), policy)


def turning_points(shift: Shift, zone: ZoneInfo, before: Iterable[int], after: Iterable[int]) -> list[WallMs]:
    """When a shift's record changes without a punch: its window opens, it ends, its window has closed.

    ``before`` and ``after`` are sizes of windows in minutes.
    """
    schedule = lay_out(shift, zone)
    end = schedule.end + schedule.room
    moments = [*(schedule.start - size for size in before), end, *(end + size + 1 for size in after)]
    return [moment * MINUTE_MS for moment in moments]


def _order(record: DayRecord) -> tuple[date, int]:
    return record.date, record.part


def _parts(shifts: Sequence[Assigned], dates: Collection[date] | None) -> tuple[list[int], list[int]]:
    """Number of each shift within its date, and the positions of those asked for."""
    parts: list[int] = []
    wanted: list[int] = []
    of_date: dict[date, int] = {}
    for position, assigned in enumerate(shifts):
        day = assigned.window.schedule.date
        of_date[day] = of_date.get(day, -1) + 1
        parts.append(of_date[day])
        if dates is None or day in dates:
            wanted.append(position)
    return parts, wanted


def _judged(shifts: Sequence[Assigned], wanted: Iterable[int], terms: Terms) -> dict[int, Judged]:
    """Shifts that began, by position, their seams closed (AR-11): those asked for and all with a seam."""
    closing = seams([assigned.window for assigned in shifts], terms.policy)
    positions = {*wanted, *closing, *(position + 1 for position in closing)} if closing else wanted
    found = {at: judged for at in positions if (judged := judge(shifts[at], terms)) is not None}
    if closing:
        sides = {at: judged.sides for at, judged in found.items()}
        for at in close_seams(closing, lambda at: shifts[at].window.schedule, sides):
            found[at] = replace(found[at], sides=sides[at])
    return found


def _left(shifts: Iterable[Assigned], free: Mapping[date, Sequence[Kept]]) -> dict[date, Minute]:
    """Last punch of each attendance date (AR-19)."""
    found = {day: punches[-1].minute for day, punches in free.items()}
    for assigned in shifts:
        if assigned.punches:
            day = assigned.window.schedule.date
            found[day] = max(found.get(day, 0), assigned.punches[-1].minute)
    return found


def _free_requests(shifts: Iterable[Assigned], terms: Terms) -> dict[date, list[Requested]]:
    """Requests that belong to no shift, by the local date on which they start."""
    owned = {request for assigned in shifts for request in assigned.window.requests}
    found: dict[date, list[Requested]] = {}
    for request in terms.requests:
        if request not in owned:
            found.setdefault(local_date(request.start * MINUTE_MS, terms.zone), []).append(request)
    return found
