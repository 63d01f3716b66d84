"""Figures for payroll programs, and the programs that may fetch them."""

import hashlib
from dataclasses import fields
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from server.api.answers.names import position_names
from server.api.context import CallerDep, ContextDep
from server.api.guards import ClientWriter, PayrollReader, requires
from server.api.paging import PageDep
from server.api.views.base import NameView
from server.api.views.payroll import (
    ClientsView,
    ClientView,
    NewClientBody,
    PayrollAdjustmentView,
    PayrollMonthView,
    PayrollRowView,
    TokenView,
)
from server.reports.month import MonthSummary
from server.reports.table import hundredths
from server.services import clients, payroll
from server.services.month_report import MonthRow
from server.store import client_queries, log_queries
from server.store.closing_queries import AdjustmentRow
from server.store.log_queries import Entry

router = APIRouter(prefix="/api", tags=["payroll"])

MonthPath = Annotated[str, Path(pattern=r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$")]


@router.get("/v1/payroll/months/{month}", response_model=PayrollMonthView)
async def payroll_month(
    *, client: PayrollReader, context: ContextDep, caller: CallerDep, request: Request, month: MonthPath, page: PageDep
) -> Response:
    """Sums and adjustments of everybody in a month, by id; 304 when ``If-None-Match`` has the answer's ``ETag``."""
    async with context.db.reading() as connection:
        found = await payroll.payroll_month(connection, month, page.limit, page.offset)
        position = await position_names(connection)
    view = PayrollMonthView(
        month=month,
        closed=found.closed_ms is not None,
        closed_ms=found.closed_ms,
        version=found.version,
        total=found.total,
        rows=[_row(row, found.adjustments.get(row.person.id, []), position(row.person.position)) for row in found.rows],
    )
    detail = {"limit": page.limit, "offset": page.offset, "version": found.version}
    async with context.db.writing() as connection:
        entry = Entry(caller.at_ms, client.actor, "payroll.read", month, "done", caller.ip, caller.request_id, detail)
        await log_queries.append(connection, entry)
    body = view.model_dump_json().encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, media_type="application/json", headers={"ETag": etag})


@router.get("/clients", dependencies=[requires("clients.write")])
async def read_clients(context: ContextDep) -> ClientsView:
    """Programs that may fetch figures, ended and revoked ones too."""
    async with context.db.reading() as connection:
        rows = await client_queries.client_rows(connection)
    return ClientsView(rows=[ClientView.model_validate(row) for row in rows])


@router.post("/clients", status_code=201)
async def add_client(viewer: ClientWriter, context: ContextDep, caller: CallerDep, body: NewClientBody) -> TokenView:
    """Let a program in: its token is in this answer and nowhere else."""
    token = await clients.add_client(
        context.db, viewer.login, body.name, body.permissions, days=body.days, now_ms=caller.at_ms, caller=caller
    )
    return TokenView(token=token)


@router.post("/clients/{client}/revoke", status_code=204)
async def revoke_client(viewer: ClientWriter, context: ContextDep, caller: CallerDep, client: int) -> None:
    """End a program's token at once."""
    await clients.revoke_client(context.db, viewer.login, client, now_ms=caller.at_ms, caller=caller)


_SUMS = tuple(field.name for field in fields(MonthSummary) if field.name in PayrollRowView.model_fields)


def _row(row: MonthRow, adjustments: list[AdjustmentRow], position: NameView) -> PayrollRowView:
    person, summary = row.person, row.summary
    sums: dict[str, Any] = {name: getattr(summary, name) for name in _SUMS if name != "adjustments"}
    return PayrollRowView(
        employee=person.id,
        name=person.name,
        department=person.department,
        position=person.position,
        position_name=position,
        site=person.site,
        **{name: str(hundredths(value)) if isinstance(value, Fraction) else value for name, value in sums.items()},
        confirmation=row.confirmation,
        adjustments=[PayrollAdjustmentView.model_validate(each) for each in adjustments],
    )
