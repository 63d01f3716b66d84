"""Months on their way to being closed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from server.access.viewer import Viewer
from server.api.answers.names import names
from server.api.answers.narrowing import narrow_to
from server.api.context import Context
from server.api.paging import Page
from server.api.views.closing import (
    AdjustmentsView,
    AdjustmentView,
    CheckItemView,
    ClosingView,
    ConfirmationState,
    ConfirmationsView,
    ConfirmationView,
    DecisionView,
    LateFactView,
    MonthDetailView,
    MonthsView,
    MonthView,
    OwnConfirmationView,
    PendingListView,
    PendingView,
    ProgressView,
)
from server.attendance.closing import default_decision, running, stands
from server.attendance.months import Month, month_of, month_span
from server.attendance.record import DayRecord
from server.services import closing, confirming
from server.services.confirming import Confirmation
from server.services.decisions import standing
from server.store import change_queries, checklist_queries, closing_queries, late_queries, people_queries
from server.store.checklist_queries import RecordRow
from server.store.closing_queries import AdjustmentRow, ClosingRow, DecisionRow, RecordId
from server.store.late_queries import LateFact
from shared.clock import from_ms

NAMES = 10
_NEEDED_FIRST: tuple[ConfirmationState, ...] = ("objected", "outdated", "asked", "not_asked", "confirmed")


async def months(context: Context, viewer: Viewer) -> MonthsView:
    """Months with records, and how each stands."""
    async with context.db.reading() as connection:
        states = await closing.month_states(connection, viewer.scope)
    rows = []
    for state in states:
        held = state.closing
        rows.append(
            MonthView(
                month=state.month,
                state=_how(held),
                closed_ms=held.closed_ms if held else None,
                closed_by=held.closed_by if held else None,
            )
        )
    current = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone)
    return MonthsView(months=rows, current=month_of(current))


async def month(context: Context, viewer: Viewer, month: Month) -> MonthDetailView:
    """One month: its checklist, its closings, who has confirmed."""
    scope, now_ms = viewer.scope, context.clocks.wall_ms()
    async with context.db.reading() as connection:
        state = await closing.month_state(connection, month)
        checked = await closing.checklist_of(connection, scope, month, context.config.zone, now_ms)
        made = await closing_queries.decisions_between(connection, scope, *month_span(month))
        pending = await checklist_queries.pending_rows(connection, scope, *month_span(month))
        of = await closing_queries.adjustments_of(connection, scope, month)
        posted = await closing_queries.adjustments_posted(connection, scope, month)
        held = state.closing
        asked_by = held.reopen_asked_by if held else None
        return MonthDetailView(
            month=month,
            state=_how(held),
            items=[
                CheckItemView(
                    code=item.code,
                    blocking=item.blocking,
                    count=item.count,
                    names=list(checked.names.get(item.code, ()))[:NAMES],
                )
                for item in checked.items
            ],
            ready=scope.everyone and not any(item.blocking and item.count for item in checked.items),
            decided=sum(standing(row, made) for row in pending if not running(row.record)),
            closing=_closing(held) if held else None,
            history=[_closing(row) for row in state.history],
            confirmations=_progress(checked.confirmed),
            adjustments_of=len(of),
            adjustments_posted=len(posted),
            may_close=viewer.may("months.close"),
            may_reopen=viewer.may("months.close") and asked_by is not None and asked_by != viewer.login,
            departments=names(await people_queries.department_names(connection, scope)),
            version=await change_queries.newest_change(connection, f"month:{month}"),
        )


async def pending(
    context: Context, viewer: Viewer, month: Month, department: str | None, *, undecided: bool, page: Page
) -> PendingListView:
    """A page of records with pending minutes, decided or not."""
    scope, span = viewer.scope, month_span(month)
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, department)
        made = await closing_queries.decisions_between(connection, scope, *span, narrow)
        found = await checklist_queries.pending_rows(connection, scope, *span, narrow)
    rows = [row for row in found if not running(row.record)]
    left = [row for row in rows if not standing(row, made)]
    shown = left if undecided else rows
    return PendingListView(
        total=len(shown),
        undecided=len(left),
        rows=[_pending(row, made) for row in shown[page.offset : page.offset + page.limit]],
    )


async def confirmations(
    context: Context, viewer: Viewer, month: Month, department: str | None, *, state: str | None, page: Page
) -> ConfirmationsView:
    """A page of who has confirmed, those that need somebody first."""
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, department)
        found = await confirming.confirmations(connection, viewer.scope, month, narrow)
    rows = [one for one in found.values() if state in (None, one.state)]
    rows.sort(key=lambda one: (_NEEDED_FIRST.index(one.state), one.name, one.employee))
    return ConfirmationsView(
        total=len(rows),
        progress=_progress(Counter(one.state for one in found.values())),
        rows=[_confirmation(one) for one in rows[page.offset : page.offset + page.limit]],
    )


async def own_confirmation(context: Context, employee: str, month: Month) -> OwnConfirmationView:
    """One's own month, to be confirmed."""
    one, closed = await confirming.own_confirmation(context.db, employee, month)
    row = one.row
    return OwnConfirmationView(
        month=month,
        employee=employee,
        name=one.name,
        state=one.state,
        closed=closed,
        asked_ms=row.asked_ms if row else None,
        answered_ms=row.answered_ms if row else None,
        comment=row.comment if row else "",
        sums=dict(one.sums),
        answered_sums=dict(row.sums) if row else {},
    )


async def adjustments(
    context: Context, viewer: Viewer, month: Month, department: str | None, *, posted: bool, page: Page
) -> AdjustmentsView:
    """Adjustments posted to the month, or of its own records, with what came late."""
    scope = viewer.scope
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, department)
        ask = closing_queries.adjustments_posted if posted else closing_queries.adjustments_of
        found = await ask(connection, scope, month, narrow)
        shown = found[page.offset : page.offset + page.limit]
        closed = await closing_queries.closed_months(connection)
        late = await late_queries.late_facts(connection, scope, [(row.employee, row.date) for row in shown], closed)
    sums: Counter[str] = Counter()
    for row in found:
        sums.update(row.pay)
    return AdjustmentsView(
        total=len(found),
        sums={name: number for name, number in sorted(sums.items()) if number},
        rows=[_adjustment(row, late.get((row.employee, row.date), ())) for row in shown],
    )


def decision_view(record: DayRecord, made: DecisionRow) -> DecisionView:
    """A decision, and whether it holds for the record."""
    return DecisionView(
        how="manual" if made.how == "manual" else "default",
        absent_min=made.decision.absent,
        worked_min=made.decision.worked,
        note=made.note,
        actor=made.actor,
        at_ms=made.at_ms,
        stands=stands(made.decision, record),
    )


def _how(held: ClosingRow | None) -> Literal["open", "closed", "reopen_asked"]:
    if held is None:
        return "open"
    return "closed" if held.reopen_asked_by is None else "reopen_asked"


def _closing(row: ClosingRow) -> ClosingView:
    return ClosingView(
        closed_ms=row.closed_ms,
        closed_by=row.closed_by,
        people=int(row.summary.get("people", 0)),
        records=int(row.summary.get("records", 0)),
        accepted=list(row.summary.get("accepted", ())),
        reopen_reason=row.reopen_reason,
        reopen_asked_by=row.reopen_asked_by,
        reopen_asked_ms=row.reopen_asked_ms,
        reopened_by=row.reopened_by,
        reopened_ms=row.reopened_ms,
    )


def _progress(states: Mapping[str, int]) -> ProgressView:
    number = {state: states.get(state, 0) for state in _NEEDED_FIRST}
    return ProgressView(people=sum(number.values()), **number)


def _pending(row: RecordRow, made: Mapping[RecordId, DecisionRow]) -> PendingView:
    record = row.record
    decision = made.get((row.employee, record.date, record.part))
    return PendingView(
        employee=row.employee,
        name=row.name,
        department=row.department,
        date=record.date,
        part=record.part,
        shift=record.shift,
        status=record.status,
        required_min=record.minutes.required,
        pending_min=record.minutes.pending,
        late_min=record.minutes.late,
        first_ms=record.first_ms,
        last_ms=record.last_ms,
        default_absent_min=default_decision(record).absent,
        decision=decision_view(record, decision) if decision else None,
    )


def _confirmation(one: Confirmation) -> ConfirmationView:
    row = one.row
    return ConfirmationView(
        employee=one.employee,
        name=one.name,
        department=one.department,
        state=one.state,
        asked_ms=row.asked_ms if row else None,
        answered_ms=row.answered_ms if row else None,
        comment=row.comment if row else "",
        sums=dict(one.sums),
        answered_sums=dict(row.sums) if row else {},
    )


def _adjustment(row: AdjustmentRow, late: Sequence[LateFact]) -> AdjustmentView:
    return AdjustmentView(
        employee=row.employee,
        name=row.name,
        department=row.department,
        date=row.date,
        part=row.part,
        posted_to=row.posted_to,
        status_from=row.status_from,
        status_to=row.status_to,
        delta=dict(row.delta),
        pay=dict(row.pay),
        computed_ms=row.computed_ms,
        reasons=[LateFactView.model_validate(fact) for fact in late],
    )
