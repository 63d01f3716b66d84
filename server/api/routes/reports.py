"""Reports of a month and their files."""

from collections.abc import AsyncIterator
from typing import Annotated, BinaryIO, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from server.api.answers import reports
from server.api.context import CallerDep, ContextDep
from server.api.guards import ReportReader
from server.api.paging import Page
from server.api.views.base import Id
from server.api.views.reports import ReportView
from server.reports.columns import Language, ReportName
from server.reports.words import title
from server.services import report_files
from server.services.report_files import Setting
from server.services.reports import Order
from server.store import log_queries
from server.store.log_queries import Entry

router = APIRouter(prefix="/api", tags=["reports"])

PIECE = 64 * 1024
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Month = Annotated[str, Query(pattern=r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$")]


class About(BaseModel):
    """Which month of whom."""

    model_config = ConfigDict(frozen=True)

    month: Month
    department: Id | None = None
    """With those below it."""
    site: Id | None = None


class AskedRows(About, Page):
    """Which rows, by which column; without one by department, name and date."""

    sort: Id | None = None
    descending: bool = False


class AskedFile(About):
    """What the file is like."""

    format: Literal["xlsx", "csv"] = "xlsx"
    language: Language = "zh-CN"
    bom: bool = True
    """Of CSV: the mark by which Excel knows UTF-8."""


@router.get("/reports/{report}")
async def read_report(
    *,
    viewer: ReportReader,
    context: ContextDep,
    report: ReportName,
    asked: Annotated[AskedRows, Query()],
) -> ReportView:
    """A page of a report of a month, with sums over everybody in scope."""
    async with context.db.reading() as connection:
        question = await reports.question(connection, report, asked.month, asked.department, asked.site)
    order = Order(asked.limit, asked.offset, asked.sort, asked.descending)
    return await reports.report(context, viewer.scope, question, order)


@router.get("/reports/{report}/file", response_class=StreamingResponse)
async def report_file(
    *,
    viewer: ReportReader,
    context: ContextDep,
    caller: CallerDep,
    report: ReportName,
    asked: Annotated[AskedFile, Query()],
) -> StreamingResponse:
    """All rows of a report as a workbook or as CSV; the operation log keeps who took it."""
    async with context.db.reading() as connection:
        question = await reports.question(connection, report, asked.month, asked.department, asked.site)
    setting = Setting(caller.at_ms, context.config.zone, asked.language, context.config.company)
    if asked.format == "csv":
        file = await report_files.csv_file(context.db, viewer.scope, question, setting, bom=asked.bom)
    else:
        file = await report_files.workbook(context.db, viewer.scope, question, setting)
    detail = {"month": asked.month, "format": asked.format, "department": asked.department, "site": asked.site}
    async with context.db.writing() as connection:
        entry = Entry(caller.at_ms, viewer.login, "report.export", report, "done", caller.ip, caller.request_id, detail)
        await log_queries.append(connection, entry)
    return sent(file, f"{title(report, asked.language)}-{asked.month}.{asked.format}", f"{report}-{asked.month}")


def sent(file: BinaryIO, name: str, plain: str) -> StreamingResponse:
    """A file as a download; ``plain`` is its name for clients that know ASCII only, without the ending."""
    ending = name.rpartition(".")[2]
    size = file.seek(0, 2)
    file.seek(0)

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while piece := await run_in_threadpool(file.read, PIECE):
                yield piece
        finally:
            file.close()

    disposition = f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{quote(name)}"
    media_type = XLSX if ending == "xlsx" else "text/csv; charset=utf-8"
    headers = {"Content-Disposition": disposition, "Content-Length": str(size)}
    return StreamingResponse(pieces(), media_type=media_type, headers=headers)
