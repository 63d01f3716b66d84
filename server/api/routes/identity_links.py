"""Whose ids of business systems are."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.api.context import CallerDep, ContextDep
from server.api.guards import PeopleMapper, requires
from server.api.views.identity_links import LinkBody, LinkedView, UnlinkBody, UnmatchedIdsView, UnmatchedIdView
from server.services import fact_people
from server.services.accounts import Caller
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry

router = APIRouter(prefix="/api/identity-links", tags=["people of business systems"])


@router.get("", dependencies=[requires("people.map")])
async def unmatched_ids(
    context: ContextDep, source: str | None = None, limit: Annotated[int, Query(ge=1, le=1_000)] = 500
) -> UnmatchedIdsView:
    """Ids that rows name and that are nobody's."""
    async with context.db.reading() as connection:
        found = await fact_people.unmatched(connection, source, limit)
    return UnmatchedIdsView(
        rows=[
            UnmatchedIdView(
                source=one.id.source,
                employee_key=one.id.employee_key,
                fact=one.id.fact,
                rows=one.id.rows,
                first_ms=one.id.first_ms,
                last_ms=one.id.last_ms,
                suggested=list(one.suggested),
            )
            for one in found
        ]
    )


@router.post("")
async def link_id(viewer: PeopleMapper, context: ContextDep, caller: CallerDep, body: LinkBody) -> LinkedView:
    """Say whose an id is from a day on."""
    row = LinkRow(body.source, body.employee_key, body.valid_from, body.valid_to, body.employee)
    return LinkedView(rows=await fact_people.link(context.db, row, _entry(viewer.login, "people.link", caller)))


@router.post("/remove")
async def unlink_id(viewer: PeopleMapper, context: ContextDep, caller: CallerDep, body: UnlinkBody) -> LinkedView:
    """Take a link back."""
    entry = _entry(viewer.login, "people.unlink", caller)
    rows = await fact_people.unlink(context.db, body.source, body.employee_key, body.valid_from, entry)
    return LinkedView(rows=rows)


def _entry(actor: str, action: str, caller: Caller) -> Entry:
    return Entry(caller.at_ms, actor, action, "", "done", caller.ip, caller.request_id)
