"""Months beside those of another system, as pages and files show them."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.names import names
from server.api.answers.narrowing import narrow_to
from server.api.context import Context
from server.api.paging import Page
from server.api.views.shadow import (
    ShadowDayView,
    ShadowDepartmentView,
    ShadowDifferenceView,
    ShadowMonthsView,
    ShadowMonthView,
    ShadowPunchView,
    ShadowReasonView,
    ShadowRowView,
    ShadowSideView,
    ShadowView,
)
from server.attendance.record import told
from server.reports.columns import Language
from server.reports.shadow import Reason
from server.reports.shadow_file import DifferenceRow, as_csv, as_xlsx
from server.reports.shadow_words import STATUSES
from server.services import shadow
from server.services.shadow import ComparedDay
from server.store import people_queries, shadow_queries


@dataclass(frozen=True, slots=True)
class Asked:
    """Which days of a month."""

    month: str
    department: str | None = None
    reason: Reason | None = None
    rule: str | None = None
    text: str = ""
    """Part of a name or id."""


async def months(context: Context, viewer: Viewer) -> ShadowMonthsView:
    """Months with days of another system."""
    async with context.db.reading() as connection:
        found = await shadow_queries.months(connection, viewer.scope)
    return ShadowMonthsView(months=[ShadowMonthView.model_validate(month) for month in found], statuses=list(STATUSES))


async def month(context: Context, viewer: Viewer, asked: Asked, page: Page) -> ShadowView:
    """Figures of a month, and a page of its differing days."""
    async with context.db.reading() as connection:
        days = await _days(connection, viewer.scope, asked)
        departments = names(await people_queries.department_names(connection, viewer.scope))
    figures = shadow.summary(days)
    rows = _chosen(days, asked)
    return ShadowView(
        month=asked.month,
        people=figures.people,
        days=figures.days,
        same=figures.same,
        reasons=[ShadowReasonView.model_validate(reason) for reason in figures.reasons],
        by_department=[ShadowDepartmentView.model_validate(each) for each in figures.departments],
        total=len(rows),
        rows=[_row(day) for day in rows[page.offset : page.offset + page.limit]],
        departments=departments,
    )


async def day(context: Context, viewer: Viewer, employee: str, date: dt.date) -> ShadowDayView:
    """Both sides of a day; NotFoundError outside the scope."""
    async with context.db.reading() as connection:
        found = await shadow.compare_day(connection, viewer.scope, employee, date)
    ours = found.ours
    return ShadowDayView(
        row=_row(found),
        minutes=dict(found.theirs.minutes) if found.theirs is not None else {},
        punches=[
            ShadowPunchView(minute=punch.at, fate=punch.fate, rule=punch.rule)
            for punch in (ours.punches if ours is not None else ())
        ],
        flags=sorted(ours.flags) if ours is not None else [],
        rules=sorted(ours.rules, key=lambda rule: int(rule.removeprefix("AR-"))) if ours is not None else [],
        our_minutes=told(ours.minutes) if ours is not None else {},
    )


async def file(context: Context, viewer: Viewer, asked: Asked, kind: str, language: Language) -> bytes:
    """Every differing day that was asked for, as ``csv`` or ``xlsx``."""
    async with context.db.reading() as connection:
        days = await _days(connection, viewer.scope, asked)
        departments = await people_queries.department_names(connection, viewer.scope)
        shifts = await shadow_queries.all_shifts(connection)

    def write() -> bytes:
        both = {row.id: (row.name_zh, row.name_en) for row in departments}
        both |= {row.id: (row.name_zh, row.name_en) for row in shifts}
        shown = {id_: zh if language == "zh-CN" else en for id_, (zh, en) in both.items()}
        rows = [_difference(day, shown) for day in _chosen(days, asked)]
        return as_csv(rows, language) if kind == "csv" else as_xlsx(rows, asked.month, language)

    return await asyncio.to_thread(write)


async def _days(connection: AsyncConnection, scope: Scope, asked: Asked) -> list[ComparedDay]:
    narrow = await narrow_to(connection, asked.department)
    return await shadow.compare_month(connection, scope, asked.month, narrow)


def _chosen(days: Sequence[ComparedDay], asked: Asked) -> list[ComparedDay]:
    part = asked.text.strip().casefold()
    return [
        day
        for day in days
        if day.compared.reason is not None
        and asked.reason in (None, day.compared.reason)
        and asked.rule in (None, day.compared.rule)
        and (not part or part in day.person.name.casefold() or part in day.person.id.casefold())
    ]


def _row(day: ComparedDay) -> ShadowRowView:
    theirs, ours = day.theirs, day.ours
    return ShadowRowView(
        employee=day.person.id,
        name=day.person.name,
        department=day.person.department,
        date=day.date,
        verdict=day.compared.verdict,
        reason=day.compared.reason,
        rule=day.compared.rule,
        theirs=ShadowSideView(
            status=theirs.status,
            said=theirs.said,
            first_min=theirs.first_min,
            last_min=theirs.last_min,
            shift=theirs.shift,
        )
        if theirs is not None
        else None,
        ours=ShadowSideView(
            status=ours.status,
            said="",
            first_min=ours.first,
            last_min=ours.last,
            shift=" ".join(shift.id for shift in ours.shifts),
        )
        if ours is not None
        else None,
        differences=[ShadowDifferenceView.model_validate(each) for each in day.compared.differences],
    )


def _difference(day: ComparedDay, shown: dict[str, str]) -> DifferenceRow:
    theirs, ours = day.theirs, day.ours
    sides = (theirs.first_min, theirs.last_min) if theirs is not None else (None, None)
    return DifferenceRow(
        day.person.id,
        day.person.name,
        shown.get(day.person.department, day.person.department),
        day.date,
        day.compared.reason or "",
        day.compared.rule,
        theirs.status if theirs is not None else None,
        theirs.said if theirs is not None else "",
        ours.kind if ours is not None else None,
        (*sides, ours.first if ours is not None else None, ours.last if ours is not None else None),
        theirs.shift if theirs is not None else "",
        " ".join(shown.get(shift.id, shift.id) for shift in (ours.shifts if ours is not None else ())),
        [(each.field, each.theirs, each.ours) for each in day.compared.differences],
    )
