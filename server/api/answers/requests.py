"""Requests as answers."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.leave import type_view
from server.api.context import Context
from server.api.paging import Page
from server.api.views.base import NameView
from server.api.views.requests import (
    ApproverView,
    AskBody,
    AwayBody,
    ChainStepView,
    CheckView,
    ColleaguesView,
    ColleagueView,
    CorrectionBody,
    CountsView,
    CoverView,
    FileView,
    LeaveBody,
    LeaveEndBody,
    OptionsView,
    OvertimeBody,
    RequestDetailView,
    RequestsView,
    RequestView,
    StepView,
    SwapBody,
)
from server.attendance.months import month_instants
from server.requests.approvers import Account
from server.requests.chain import Step
from server.services import approvals, requests
from server.services.leave import leave_types
from server.services.request_corrections import corrections_left
from server.services.request_parts import Ask
from server.store import asked_queries, attendance_queries, change_queries, shift_queries, user_queries
from server.store.asked_queries import AskerRow, RequestRow, Wanted
from server.store.scope_filter import Narrow
from shared.clock import WallMs, from_ms
from shared.punch import Direction

_DIRECTIONS = {"in": Direction.IN.value, "out": Direction.OUT.value}
_SIDES = {value: name for name, value in _DIRECTIONS.items()}
TOPIC = "requests"


def ask_of(body: AskBody) -> Ask:
    """A request as the service takes it."""
    match body:
        case LeaveBody():
            return Ask("leave", body.reason, body.start, body.end, leave_type=body.leave_type)
        case CorrectionBody():
            direction = None if body.direction is None else _DIRECTIONS[body.direction]
            return Ask("correction", body.reason, body.at, direction=direction)
        case OvertimeBody():
            return Ask("overtime", body.reason, body.start, body.end, to_comp=body.to_comp)
        case AwayBody():
            return Ask(body.kind, body.reason, body.start, body.end, place=body.place)
        case SwapBody():
            return Ask("swap", body.reason, other=body.other, date=body.date, other_date=body.other_date)
        case LeaveEndBody():
            return Ask("leave_end", body.reason, body.end or "", about=body.about)


def check_view(checked: requests.Checked) -> CheckView:
    """What a request would be."""
    made = checked.draft
    cover = made.cover
    return CheckView(
        minutes=made.values["minutes"],
        days=dict(made.days),
        cover=None
        if cover is None
        else CoverView(needed_min=cover.needed, before_min=cover.left, after_min=cover.left - cover.needed),
        warnings=made.warnings,
        chain=chain_views(checked.approvers),
    )


def chain_views(chain: Sequence[tuple[Step, Sequence[Account]]]) -> list[ChainStepView]:
    """Steps with who is asked."""
    return [
        ChainStepView(
            role=step.role,
            hours=step.hours,
            then=step.then,
            approvers=[ApproverView(login=account.login, name=account.name) for account in accounts],
        )
        for step, accounts in chain
    ]


def request_view(row: RequestRow) -> RequestView:
    """A request in a list."""
    progress, detail = requests.progress_of(row), row.detail
    waiting = progress.waiting
    return RequestView.model_validate(
        {
            **{name: getattr(row, name) for name in _SAME},
            "start_ms": row.from_ms,
            "end_ms": row.to_ms,
            "direction": None if row.direction is None else _SIDES.get(row.direction),
            "date": detail.get("date"),
            "other_date": detail.get("other_date"),
            "place": detail.get("place", ""),
            "by_hr": bool(detail.get("by_hr")),
            "beyond_quota": bool(detail.get("beyond_quota")),
            "file_needed": bool(detail.get("file_needed")),
            "steps": len(progress.chain),
            "waits_for": None if waiting is None else waiting.role,
            "due_ms": row.step_due_ms,
        }
    )


async def page_of(context: Context, scope: Scope, wanted: Wanted, page: Page) -> RequestsView:
    """A page of requests of people in scope, newest first."""
    async with context.db.reading() as connection:
        total, rows = await asked_queries.request_page(connection, scope, wanted, limit=page.limit, offset=page.offset)
        version = await change_queries.newest_change(connection, TOPIC)
        return RequestsView(total=total, rows=[request_view(row) for row in rows], version=version)


async def narrowed_to(context: Context, department: str | None) -> Narrow:
    """A department with those below it; everybody without one."""
    if department is None:
        return Narrow()
    async with context.db.reading() as connection:
        return Narrow(with_those_below({department}, await user_queries.department_parents(connection)))


def month_or_always(context: Context, month: str | None) -> tuple[WallMs | None, WallMs | None]:
    """First moment of a month and of the next, in the company's zone."""
    if month is None:
        return None, None
    return month_instants(month, context.config.zone)


async def detail(context: Context, viewer: Viewer, request: int, now_ms: WallMs) -> RequestDetailView:
    """A request with its history."""
    async with context.db.reading() as connection:
        found = await requests.shown(connection, viewer, request, now_ms)
        version = await change_queries.newest_change(connection, TOPIC)
    return RequestDetailView(
        request=request_view(found.row),
        days=found.row.detail.get("days", {}),
        chain=chain_views(found.approvers),
        history=[StepView.model_validate(step) for step in found.steps],
        files=[FileView.model_validate(file) for file in found.files],
        may=sorted(found.may),
        version=version,
    )


async def options(context: Context, scope: Scope, employee: str, now_ms: WallMs) -> OptionsView:
    """What a form needs to know."""
    async with context.db.reading() as connection:
        person = await _person(connection, scope, employee)
        limits, used = await corrections_left(connection, person, now_ms)
        types = (await leave_types(connection)).values()
        return OptionsView(
            employee=person.id,
            name=person.name,
            zone=person.zone,
            today=from_ms(now_ms).astimezone(ZoneInfo(person.zone)).date(),
            types=[type_view(leave) for leave in types if not leave.retired],
            corrections_used=used,
            corrections_most=limits["per_month"],
            corrections_days=limits["within_days"],
        )


async def colleagues(context: Context, scope: Scope, employee: str, day: dt.date) -> ColleaguesView:
    """Whom an employee may swap with on a date."""
    async with context.db.reading() as connection:
        person = await _person(connection, scope, employee)
        rows = await asked_queries.colleagues(connection, person.id, person.department, day)
        own = (await attendance_queries.planned(connection, [person.id], day, day)).get(person.id, [])
        library = await shift_queries.library(connection)
    planned = {name for _, _, shifts in rows for name in shifts} | {shift.plan.id for shift in own}
    return ColleaguesView(
        own=[shift.plan.id for shift in own],
        rows=[ColleagueView(id=one, name=name, shifts=shifts) for one, name, shifts in rows],
        shifts=[
            NameView(id=name, name_zh=library[name].name_zh, name_en=library[name].name_en)
            for name in sorted(planned & set(library))
        ],
    )


async def counts(context: Context, viewer: Viewer, now_ms: WallMs) -> CountsView:
    """Numbers of badges."""
    async with context.db.reading() as connection:
        waiting = await approvals.waiting_for(connection, viewer, now_ms)
        own = 0
        if viewer.employee is not None:
            mine = Wanted(states=("pending",), employee=viewer.employee)
            own, _ = await asked_queries.request_page(
                connection, Scope(employee=viewer.employee), mine, limit=1, offset=0
            )
    return CountsView(waiting=len(waiting), own_pending=own)


async def _person(connection: AsyncConnection, scope: Scope, employee: str) -> AskerRow:
    person = await asked_queries.asker(connection, scope, employee)
    if person is None:
        raise NotFoundError(f"employee {employee!r} is not in scope")
    return person


_SAME: Sequence[str] = (
    *("id", "kind", "employee", "name", "department", "zone", "leave_type", "minutes", "to_comp", "about", "other"),
    *("other_name", "reason", "state", "step", "created_by", "created_ms", "decided_ms", "cancelled_ms"),
)
