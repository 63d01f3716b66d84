"""What could not be read, and what people did."""

from fastapi import APIRouter

from server.api.context import ContextDep
from server.api.guards import requires
from server.api.paging import PageDep
from server.api.views.logs import OperationsView, OperationView, QuarantineRowView, QuarantineView
from server.store import fleet_queries, log_queries

router = APIRouter(prefix="/api", tags=["logs"])


@router.get("/quarantine", dependencies=[requires("quarantine.read")])
async def quarantine(context: ContextDep, page: PageDep) -> QuarantineView:
    """Messages and events that could not be stored, newest first."""
    async with context.db.reading() as connection:
        total, rows = await fleet_queries.quarantine_rows(connection, page.limit, page.offset)
    return QuarantineView(
        total=total,
        rows=[
            QuarantineRowView(
                id=row.id,
                gateway=row.gateway,
                seq=row.seq,
                code=row.code,
                size=row.size,
                received_ms=row.received_ms,
                state=row.state,
            )
            for row in rows
        ],
    )


@router.get("/operations", dependencies=[requires("admin")])
async def operations(context: ContextDep, page: PageDep) -> OperationsView:
    """The operation log, newest first."""
    async with context.db.reading() as connection:
        total, rows = await log_queries.operation_rows(connection, page.limit, page.offset)
    return OperationsView(total=total, rows=[OperationView.model_validate(row) for row in rows])
