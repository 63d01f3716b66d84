"""Our side of a day in shadow mode: its records as one, and punches as minutes of the wall clock."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from zoneinfo import ZoneInfo

from server.attendance.record import DayRecord, Minutes, Status
from server.reports.shadow import DAY_MIN, Fate, OurPunch, Ours
from server.reports.shadow_shift import KnownShift
from shared.clock import WallMs, from_ms

_BY_URGENCY: tuple[Status, ...] = (
    "off", "normal", "leave", "holiday_ot", "rest_ot", "untimed", "early", "late", "late_early", "missing_out",
    "missing_in", "absent", "not_yet",
)  # fmt: skip
"""Of several shifts on one day, the status that comes last here stands for the day."""
_FATES: tuple[Fate, ...] = ("used", "merged", "held", "ignored")
_EARLIEST, _LATEST = -4 * 60, 2 * DAY_MIN
"""Minutes between which a punch may belong to a date: windows reach before and behind shifts (AR-7)."""


def our_day(
    date: dt.date,
    records: Sequence[DayRecord],
    shifts: Iterable[KnownShift],
    punches: Iterable[tuple[int, WallMs, str | None]],
    zone: ZoneInfo,
) -> Ours:
    """One day; a punch is its id, its corrected instant (as told where it is held), and the rule that holds it."""
    fates = _fates(records)
    near = []
    for number, at_ms, held in punches:
        at = wall_minute(at_ms, date, zone)
        if _EARLIEST <= at < _LATEST:
            near.append(OurPunch(at, "held" if held else fates.get(number, "free"), held or ""))
    status = max((record.status for record in records), key=_BY_URGENCY.index, default=None)
    firsts = [record.first_ms for record in records if record.first_ms is not None]
    lasts = [record.last_ms for record in records if record.last_ms is not None]
    return Ours(
        status,
        _sum(record.minutes for record in records),
        all(record.finished for record in records),
        wall_minute(min(firsts), date, zone) if firsts else None,
        wall_minute(max(lasts), date, zone) if lasts else None,
        tuple(shifts),
        frozenset(flag for record in records for flag in record.flags),
        frozenset(rule for record in records for rule in record.explanation.rules),
        tuple(near),
    )


def wall_minute(at_ms: WallMs, date: dt.date, zone: ZoneInfo) -> int:
    """Minutes that a clock on the wall shows after midnight of the date; seconds are cut (AR-6)."""
    local = from_ms(at_ms).astimezone(zone)
    return (local.date() - date).days * DAY_MIN + local.hour * 60 + local.minute


def _fates(records: Sequence[DayRecord]) -> Mapping[int, Fate]:
    found: dict[int, Fate] = {}
    for fate in reversed(_FATES):  # what one shift of the day used is used
        for record in records:
            found.update(dict.fromkeys(getattr(record.explanation, fate), fate))
    return found


def _sum(all_minutes: Iterable[Minutes]) -> Minutes:
    listed = list(all_minutes)
    return Minutes(**{field.name: sum(getattr(one, field.name) for one in listed) for field in fields(Minutes)})
