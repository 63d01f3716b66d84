"""Labour contracts and the indicators of posts as pages show them."""

import dataclasses
import datetime as dt

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.viewer import Viewer
from server.api.answers.attendance import zone_of
from server.api.answers.names import names
from server.api.context import Context
from server.api.paging import Page
from server.api.views.base import NameView
from server.api.views.contracts import (
    ContractDetailView,
    ContractListView,
    ContractLogView,
    ContractRowView,
    PostDutiesListView,
    PostDutiesView,
    RemindersView,
    SuggestionView,
)
from server.scoring.duties import Suggestion, duty_rules
from server.services import contract_duties, contracts
from server.services.contracts import Contract
from server.store import contract_queries, people_queries, user_queries
from shared.clock import from_ms


async def listed(
    context: Context, viewer: Viewer, q: str, standing: str | None, department: str | None, *, page: Page
) -> ContractListView:
    """A page of contracts; ``standing`` may be ``probation``."""
    async with context.db.reading() as connection:
        today = await _today(context, connection, viewer)
        found = await contracts.contracts(connection, viewer.scope, today)
        counts = contracts.counted(found)
        parents = await user_queries.department_parents(connection)
        below = None if department is None else with_those_below({department}, parents)
        rows = [one for one in found if _asked(one, q, standing) and (below is None or one.department in below)]
        return ContractListView(
            total=len(rows),
            rows=[_row(one) for one in rows[page.offset : page.offset + page.limit]],
            counts=counts,
            departments=names(await people_queries.department_names(connection, viewer.scope)),
            reminders=RemindersView.model_validate(await contract_queries.reminders(connection)),
            keys=await contracts.can_keep_pay(connection),
            today=today,
        )


async def detail(context: Context, viewer: Viewer, source: str, key: str) -> ContractDetailView:
    """One contract; pay stays masked."""
    async with context.db.reading() as connection:
        today = await _today(context, connection, viewer)
        found = await contracts.contract(connection, viewer.scope, source, key, today)
        log = await contracts.log_of(connection, source, key)
    entries = [
        ContractLogView(at_ms=one.at_ms, actor=one.actor, action=one.action, reason=_reason(one.detail.get("reason")))
        for one in log
    ]
    said = {"duties": found.duties, "pay_grade": found.pay_grade}
    return ContractDetailView(**_row(found).model_dump(), **said, log=entries)


async def posts(context: Context, viewer: Viewer) -> PostDutiesListView:
    """Posts with duties, suggestions and accepted indicators."""
    async with context.db.reading() as connection:
        found = await contract_duties.posts(connection, viewer.scope)
    rows = [
        PostDutiesView(
            id=one.id,
            name_zh=one.name_zh,
            name_en=one.name_en,
            people=one.people,
            duties=list(one.duties),
            suggested=[suggestion(each) for each in one.suggested],
            accepted=list(one.accepted),
        )
        for one in found
    ]
    known = [NameView(id=rule.indicator, name_zh=rule.name_zh, name_en=rule.name_en) for rule in duty_rules()]
    return PostDutiesListView(rows=rows, indicators=known)


def suggestion(one: Suggestion) -> SuggestionView:
    """A suggestion as it is shown."""
    rule = one.rule
    return SuggestionView(indicator=rule.indicator, name_zh=rule.name_zh, name_en=rule.name_en, found=list(one.found))


async def _today(context: Context, connection: AsyncConnection, viewer: Viewer) -> dt.date:
    zone = await zone_of(connection, viewer, context.config.zone)
    return from_ms(context.clocks.wall_ms()).astimezone(zone).date()


def _asked(one: Contract, q: str, standing: str | None) -> bool:
    if q and q.casefold() not in f"{one.name}\n{one.employee or ''}\n{one.position or ''}".casefold():
        return False
    return standing is None or (one.probation_soon if standing == "probation" else one.standing == standing)


def _row(one: Contract) -> ContractRowView:
    fields = dataclasses.asdict(one)
    return ContractRowView.model_validate({name: fields[name] for name in ContractRowView.model_fields})


def _reason(told: object) -> str | None:
    return told if isinstance(told, str) else None
