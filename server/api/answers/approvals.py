"""What waits for the viewer, chains and delegations as answers."""

from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.viewer import Viewer
from server.api.answers.requests import TOPIC, request_view
from server.api.context import Context
from server.api.paging import Page
from server.api.views.approvals import (
    ChainBody,
    ChainStepBody,
    ChainsView,
    ChainView,
    DecidedManyView,
    DecidedView,
    DelegationsView,
    DelegationView,
    InboxView,
    WaitingView,
)
from server.api.views.requests import ApproverView, Kind
from server.requests.chain import DEFAULT_CHAINS, KINDS, Step
from server.services import approvals, leave
from server.services.approvals import Decided, Waiting
from server.services.leave import CORRECTION_SETTINGS
from server.services.request_drafts import read_steps
from server.services.request_parts import days_of
from server.store import approval_queries, change_queries
from shared.clock import WallMs


async def inbox(context: Context, viewer: Viewer, page: Page, kinds: list[Kind], now_ms: WallMs) -> InboxView:
    """A page of what waits for the viewer, with what is left of the leave asked for."""
    async with context.db.reading() as connection:
        waiting = await approvals.waiting_for(connection, viewer, now_ms)
        wanted = [one for one in waiting if not kinds or one.row.kind in kinds]
        some = wanted[page.offset : page.offset + page.limit]
        left = await _left(connection, some)
        version = await change_queries.newest_change(connection, TOPIC)
    rows = [
        WaitingView(request=request_view(one.row), for_login=one.for_login, left_min=left.get(one.row.id))
        for one in some
    ]
    return InboxView(total=len(wanted), rows=rows, version=version)


def decided_views(results: list[Decided]) -> DecidedManyView:
    """Results in the order asked."""
    return DecidedManyView(results=[DecidedView.model_validate(one) for one in results])


async def chains(context: Context) -> ChainsView:
    """Chains of all kinds."""
    async with context.db.reading() as connection:
        stored = await approval_queries.chain_rows(connection)
    rows = []
    for kind in KINDS:
        row = stored.get(kind)
        steps = DEFAULT_CHAINS[kind] if row is None else read_steps(kind, row.steps)
        limits = CORRECTION_SETTINGS if kind == "correction" else {}
        settings = {**limits, **(row.settings if row is not None else {})}
        rows.append(ChainView(kind=kind, steps=[ChainStepBody(**asdict(step)) for step in steps], **settings))
    return ChainsView(rows=rows)


def steps_of(body: ChainBody) -> list[Step]:
    """Steps as the service takes them."""
    return [Step(step.role, step.hours, step.then, step.from_min) for step in body.steps]


def settings_of(body: ChainBody) -> dict[str, int]:
    """What was set beside the steps."""
    given = {"per_month": body.per_month, "within_days": body.within_days}
    return {name: value for name, value in given.items() if value is not None}


async def delegations(context: Context, viewer: Viewer, now_ms: WallMs) -> DelegationsView:
    """Delegations of the viewer, and who can be asked."""
    async with context.db.reading() as connection:
        rows = await approval_queries.delegation_rows(connection, viewer.user, now_ms)
        office = await approval_queries.approvers_at(connection, now_ms)
    views = []
    for row in rows:
        given = row.user == viewer.user
        other = office.by_id.get(row.delegate if given else row.user)
        if other is not None:
            about = {"login": other.login, "name": other.name, "from_ms": row.from_ms, "to_ms": row.to_ms}
            views.append(DelegationView.model_validate({"id": row.id, "given": given, **about}))
    able = [one for one in office.accounts if one.role in approvals.DECIDERS and one.user != viewer.user]
    candidates = [ApproverView(login=one.login, name=one.name) for one in sorted(able, key=lambda one: one.name)]
    return DelegationsView(rows=views, candidates=candidates)


async def _left(connection: AsyncConnection, waiting: list[Waiting]) -> dict[int, int]:
    """Minutes left of the leave types asked for, on the first date of each."""
    asked = [one.row for one in waiting if one.row.kind == "leave"]
    types = [one for one in (await leave.leave_types(connection)).values() if one.balance != "none"]
    by_id = {one.id: one for one in types}
    accounts = await leave.accounts_of(connection, {row.employee for row in asked}, types) if asked else {}
    found = {}
    for row in asked:
        account, days = accounts.get((row.employee, row.leave_type or "")), days_of(row)
        if account is not None and days:
            found[row.id] = leave.balance_on(by_id[row.leave_type or ""], account, min(days)).left
    return found
