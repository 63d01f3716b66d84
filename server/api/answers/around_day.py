"""What stands around the records of a person's day: requests, decisions, former versions, adjustments."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TypedDict
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.api.views.attendance import DayAdjustmentView, DayDecisionView, DayRequestView, DayVersionView
from server.api.views.base import NameView
from server.attendance.closing import stands
from server.attendance.months import month_of
from server.attendance.record import DayRecord, Minutes
from server.store import asked_queries, closing_queries, grid_queries, leave_queries, page_queries, result_queries
from server.store.asked_queries import RequestRow, Wanted
from server.store.closing_queries import DecisionRow
from server.store.leave_queries import LeaveTypeRow
from server.store.page_queries import DayRow, PersonRow
from shared.punch import Direction

MOST = 50
"""Requests of one day."""


class Around(TypedDict):
    """Fields of ``MyDayView``."""

    requests: list[DayRequestView]
    decisions: list[DayDecisionView]
    versions: list[DayVersionView]
    adjustments: list[DayAdjustmentView]
    closed: bool


async def around(
    connection: AsyncConnection, scope: Scope, person: PersonRow, day: dt.date, records: Iterable[DayRow]
) -> Around:
    """Everything about somebody's day that is no record and no punch."""
    start, end = page_queries.local_day(day, ZoneInfo(person.zone))
    wanted = Wanted(
        states=("pending", "approved", "refused", "cancelled"), employee=person.id, from_ms=start, to_ms=end
    )
    _, asked = await asked_queries.request_page(connection, scope, wanted, limit=MOST, offset=0)
    leave_types = {row.id: row for row in await leave_queries.leave_type_rows(connection)} if asked else {}
    made = await closing_queries.decisions_between(connection, scope, day, day)
    of_person = [decision for (employee, _, _), decision in made.items() if employee == person.id]
    by_part = dict(enumerate(records))
    return Around(
        requests=[_request(row, leave_types) for row in asked],
        decisions=[_decision(row, by_part) for row in of_person],
        versions=[
            DayVersionView.model_validate(row)
            for row in await result_queries.versions_of(connection, scope, person.id, day)
        ],
        adjustments=[
            DayAdjustmentView.model_validate(row)
            for row in await grid_queries.adjustments_on(connection, scope, person.id, day)
        ],
        closed=month_of(day) in await closing_queries.closed_months(connection),
    )


def _request(row: RequestRow, leave_types: Mapping[str, LeaveTypeRow]) -> DayRequestView:
    kind = leave_types.get(row.leave_type or "")
    return DayRequestView(
        id=row.id,
        kind=row.kind,
        leave_type=None if kind is None else NameView(id=kind.id, name_zh=kind.name_zh, name_en=kind.name_en),
        from_ms=row.from_ms,
        to_ms=row.to_ms,
        direction=None if row.direction is None else Direction(row.direction).name.lower(),
        to_comp=row.to_comp,
        reason=row.reason,
        state=row.state,
        created_ms=row.created_ms,
        decided_ms=row.decided_ms,
    )


def _decision(row: DecisionRow, records: Mapping[int, DayRow]) -> DayDecisionView:
    made = row.decision
    now = records.get(made.record.part)
    return DayDecisionView(
        part=made.record.part,
        worked_min=made.worked,
        absent_min=made.absent,
        how=row.how,
        note=row.note,
        actor=row.actor,
        at_ms=row.at_ms,
        stands=now is not None and stands(made, _computed(now, made.record.part)),
    )


def _computed(row: DayRow, part: int) -> DayRecord:
    minutes = Minutes(**{field.name: getattr(row, f"{field.name}_min") for field in fields(Minutes)})
    return DayRecord(row.date, part, None, row.status, minutes)  # type: ignore[arg-type]
