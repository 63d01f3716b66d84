"""One line of a report from what is stored: cells by column id."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TypeAlias
from zoneinfo import ZoneInfo

from server.attendance.closing import stands
from server.attendance.record import DayRecord, Minutes
from server.reports.columns import LEAVE
from server.reports.month import MonthSummary
from server.reports.table import Cell
from server.services.month_report import MonthRow
from server.store.closing_queries import AdjustmentRow, DecisionRow, RecordId
from server.store.report_queries import Grant, ReportDay, ReportPerson
from shared.clock import WallMs, from_ms

Line: TypeAlias = dict[str, Cell]

_MINUTES = tuple(field.name for field in fields(Minutes))
_SUMMARY = tuple(field.name for field in fields(MonthSummary) if field.name not in ("leaves", "adjusted", "period"))
_ADJUSTED = ("worked", "absent", "leave", "ot_15", "ot_20", "ot_30")


def month(row: MonthRow, leave_types: Sequence[str]) -> Line:
    """A person's month; a column for each of the leave types."""
    summary = row.summary
    line: Line = {name: getattr(summary, name) for name in _SUMMARY}
    line |= {f"{LEAVE}{kind}": summary.leaves.get(kind, 0) for kind in leave_types}
    line |= {f"adjusted_{name}_min": summary.adjusted.get(name, 0) for name in _ADJUSTED}
    if summary.period is not None:
        line |= {"period_standard_min": summary.period.standard, "period_total_min": summary.period.total}
    return {**_who(row.person), **line, "closing": row.closing, "confirmation": row.confirmation}


def day(person: ReportPerson, found: ReportDay, decisions: Mapping[RecordId, DecisionRow]) -> Line:
    """A record as computed, and the decision about it while it stands."""
    record = found.record
    zone = ZoneInfo(person.zone)
    line: Line = {f"{name}_min": getattr(record.minutes, name) for name in _MINUTES}
    line |= {
        "date": record.date,
        "day_type": found.day_type,
        "shift": record.shift,
        "status": record.status,
        "first": _wall(record.first_ms, record, zone),
        "last": _wall(record.last_ms, record, zone),
        "trip_min": found.trip,
        "flags": record.flags,
        "rules": " ".join(found.rules),
    }
    made = decisions.get((person.id, record.date, record.part))
    if made is not None and stands(made.decision, record):
        line |= {"decision": made.how, "decided_absent_min": made.decision.absent}
        line["decided_worked_min"] = made.decision.worked
    return {**_who(person), **line}


def leave(person: ReportPerson, found: ReportDay) -> Iterator[Line]:
    """What a date took of each leave type, and what it put into the bank."""
    who = _who(person)
    for kind, minutes in sorted(found.leaves.items()):
        yield {**who, "date": found.record.date, "leave_type": kind, "entry": "taken", "minutes": -minutes}
    if banked := found.record.minutes.comp:
        yield {**who, "date": found.record.date, "leave_type": "comp", "entry": "earned", "minutes": banked}


def grant(person: ReportPerson, given: Grant) -> Line:
    """Leave that was given or lost."""
    return {
        **_who(person),
        "date": given.date,
        "leave_type": given.leave_type,
        "entry": given.kind,
        "minutes": given.minutes,
        "note": given.note,
    }


def adjustment(person: ReportPerson, row: AdjustmentRow) -> Line:
    """How a closed record would differ."""
    line: Line = {f"{name}_min": amount for name, amount in row.delta.items()}
    changed = {"date": row.date, "status_from": row.status_from, "status_to": row.status_to}
    return {**_who(person), **line, **changed}


def _who(person: ReportPerson) -> Line:
    return {
        "employee": person.id,
        "name": person.name,
        "department": person.department,
        "site": person.site,
        "position": person.position,
        "position_name": person.position,
    }


def _wall(at_ms: WallMs | None, record: DayRecord, zone: ZoneInfo) -> str | None:
    """Local ``HH:MM``, with the days that lie between it and the record's date."""
    if at_ms is None:
        return None
    local = from_ms(at_ms).astimezone(zone)
    days = (local.date() - record.date).days
    return f"{local:%H:%M}{f'{days:+d}' if days else ''}"
