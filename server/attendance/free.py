"""The record of a date without shift on which somebody punched (AR-9, AR-26)."""

from collections.abc import Sequence
from datetime import date

from server.attendance import overtime
from server.attendance.day import with_overtime
from server.attendance.explain import explain, punch_flags
from server.attendance.kept import Kept
from server.attendance.overtime import Overtime
from server.attendance.pairing import pair
from server.attendance.record import DayRecord, Minutes, Status
from server.attendance.requested import Requested
from server.attendance.spans import union
from server.attendance.terms import Terms
from server.attendance.untimed import untimed_free_minutes


def free_record(day: date, punches: Sequence[Kept], requests: tuple[Requested, ...], terms: Terms) -> DayRecord:
    """Record of that date; ``requests`` are those that start on it."""
    first = punches[0].minute
    sides = pair(punches, first, first, terms.policy, may_go_on=True)  # a lone punch is somebody who came
    presence = union(sides.spans)
    flags = punch_flags(punches)
    if sides.lone_in or sides.lone_out:
        flags.add("orphan_punch")
    if terms.policy.system == "untimed":
        minutes = untimed_free_minutes(presence, day, terms)
        status: Status = "untimed"
        rules = {"AR-9", "AR-26", "AR-32"}
    else:
        extra = overtime.of_free_date(day, presence, requests, terms)
        minutes = with_overtime(Minutes(), extra)
        status = _status(day, extra, terms)
        flags |= extra.flags
        rules = {"AR-9", *extra.rules}
    return DayRecord(
        day,
        0,
        None,
        status,
        minutes,
        first_ms=sides.first.true_ms if sides.lone_out is None else None,
        last_ms=sides.last.true_ms if sides.lone_in is None else None,
        flags=tuple(sorted(flags)),
        explanation=explain(punches, sides.used, flags, rules),
        day_type=terms.calendar.type_of(day),
        system=terms.policy.system,
    )


def _status(day: date, extra: Overtime, terms: Terms) -> Status:
    if not (extra.ot_15 or extra.ot_20 or extra.ot_30 or extra.comp):
        return "off"
    return "holiday_ot" if terms.calendar.type_of(day) == "statutory" else "rest_ot"
