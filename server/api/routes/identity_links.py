"""Whose ids of business systems are."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.api.context import CallerDep, ContextDep
from server.api.guards import PeopleMapper, requires
from server.api.paging import PageDep
from server.api.views.identity_links import (
    CorrectBody,
    EndBody,
    LinkBody,
    LinkedView,
    LinksView,
    LinkView,
    UnlinkBody,
    UnmatchedIdsView,
    UnmatchedIdView,
)
from server.services import fact_people
from server.services.accounts import Caller
from server.services.fact_people import UnlinkRow
from server.store import link_queries
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
        names = await link_queries.names_of(connection, sorted({who for one in found for who in one.suggested}))
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
                names=[names[who] for who in one.suggested],
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


@router.get("/links", dependencies=[requires("people.map")])
async def identity_links(
    context: ContextDep,
    page: PageDep,
    source: str | None = None,
    employee_key: str | None = None,
    employee: str | None = None,
) -> LinksView:
    """Whose ids are, from and to which day."""
    async with context.db.reading() as connection:
        total, rows = await link_queries.link_rows(
            connection, source, employee_key, employee, limit=page.limit, offset=page.offset
        )
        names = await link_queries.names_of(connection, sorted({row.employee for row in rows}))
    return LinksView(
        total=total,
        rows=[
            LinkView(
                source=row.source,
                employee_key=row.employee_key,
                employee=row.employee,
                name=names[row.employee],
                valid_from=row.valid_from,
                valid_to=row.valid_to,
            )
            for row in rows
        ],
    )


@router.post("/end")
async def end_link(viewer: PeopleMapper, context: ContextDep, caller: CallerDep, body: EndBody) -> LinkedView:
    """Say on which day a link was the last time."""
    row = UnlinkRow(body.source, body.employee_key, body.valid_from)
    entry = _entry(viewer.login, "people.end_link", caller)
    return LinkedView(rows=await fact_people.end(context.db, row, body.valid_to, entry))


@router.post("/correct")
async def correct_link(viewer: PeopleMapper, context: ContextDep, caller: CallerDep, body: CorrectBody) -> LinkedView:
    """Say that an id is somebody else's from a day on."""
    row = UnlinkRow(body.source, body.employee_key, body.valid_from)
    entry = _entry(viewer.login, "people.correct_link", caller)
    return LinkedView(rows=await fact_people.correct(context.db, row, body.employee, entry))


def _entry(actor: str, action: str, caller: Caller) -> Entry:
    return Entry(caller.at_ms, actor, action, "", "done", caller.ip, caller.request_id)
