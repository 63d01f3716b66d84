"""What needs a person."""

import datetime as dt
from dataclasses import dataclass, replace

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.closing import decision_view
from server.api.answers.names import names
from server.api.answers.narrowing import narrow_to
from server.api.context import Context
from server.api.paging import Page
from server.api.views.base import NameView
from server.api.views.exceptions import (
    AskedView,
    ExceptionsView,
    ExceptionView,
    HeldPunchView,
    OwnQuestionsView,
    OwnQuestionView,
)
from server.attendance.months import month_of
from server.services import exceptions
from server.services.exceptions import Found, Question, suggested_ms
from server.store import change_queries, exception_queries, people_queries
from server.store.exception_queries import ExceptionRow, HeldRow


@dataclass(frozen=True, slots=True)
class Choice:
    """What the viewer chose to see."""

    question: Question
    department: str | None = None
    site: str | None = None
    kind: str | None = None
    q: str = ""


async def listed(context: Context, viewer: Viewer, choice: Choice, page: Page) -> ExceptionsView:
    """A page of exceptions in scope, and how many there are of each kind."""
    scope, question = viewer.scope, choice.question
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, choice.department, choice.site)
        found = await exceptions.find(connection, scope, replace(question, narrow=narrow))
        part = choice.q.strip().casefold()
        if part:
            found = [one for one in found if part in one.row.name.casefold() or part == one.row.employee.casefold()]
        shown = [one for one in found if choice.kind is None or choice.kind in one.kinds]
        months = {month_of(day) for day in (question.first, question.last)}
        versions = [await change_queries.newest_change(connection, f"month:{month}") for month in sorted(months)]
        return ExceptionsView(
            first=question.first,
            last=question.last,
            counts=dict(exceptions.counts(found).items()),
            total=len(shown),
            rows=[_view(one) for one in shown[page.offset : page.offset + page.limit]],
            departments=names(await people_queries.department_names(connection, scope)),
            sites=names(await people_queries.site_names(connection, scope)),
            version=max(versions),
        )


async def own_questions(context: Context, employee: str, first: dt.date, last: dt.date) -> OwnQuestionsView:
    """What one was asked about days of the span."""
    async with context.db.reading() as connection:
        found = await exception_queries.questions_between(connection, Scope(employee=employee), first, last)
    return OwnQuestionsView(
        rows=[
            OwnQuestionView(date=row.date, note=row.note, asked_by=row.asked_by, asked_ms=row.asked_ms)
            for row in found.values()
        ]
    )


def _view(one: Found) -> ExceptionView:
    row = one.row
    record = row.record if isinstance(row, ExceptionRow) else None
    minutes = record.minutes if record else None
    shift = None
    if isinstance(row, ExceptionRow) and record and record.shift is not None:
        shift = NameView(id=record.shift, name_zh=row.shift_zh or record.shift, name_en=row.shift_en or record.shift)
    question = one.question
    return ExceptionView(
        kinds=list(one.kinds),
        employee=row.employee,
        name=row.name,
        department=row.department,
        site=row.site,
        zone=row.zone,
        date=one.date,
        part=record.part if record else None,
        shift=shift,
        status=record.status if record else None,
        first_ms=record.first_ms if record else None,
        last_ms=record.last_ms if record else None,
        pending_min=minutes.pending if minutes else 0,
        late_min=minutes.late if minutes else 0,
        early_min=minutes.early if minutes else 0,
        gap_min=minutes.gap if minutes else 0,
        absent_min=minutes.absent if minutes else 0,
        flags=list(record.flags) if record else [],
        suggested=one.action,
        decision=decision_view(record, one.decision) if record and one.decision else None,
        asked=AskedView(note=question.note, asked_by=question.asked_by, asked_ms=question.asked_ms)
        if question
        else None,
        requested=one.requested,
        closed=one.closed,
        punch=_held(row) if isinstance(row, HeldRow) else None,
    )


def _held(row: HeldRow) -> HeldPunchView:
    return HeldPunchView(
        id=row.punch,
        terminal=row.terminal_name,
        at_ms=row.at_ms,
        received_ms=row.received_ms,
        drift_ms=row.drift_ms,
        held=row.held,
        suggested_ms=suggested_ms(row),
    )
