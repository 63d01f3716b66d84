"""Reports as files, written to disk piece by piece: neither memory nor the database waits for a client."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.reports import delimited
from server.reports.columns import Language
from server.reports.table import Frame, Row, summed
from server.reports.workbook import Workbook
from server.services import reports
from server.services.reports import Question
from server.store import closing_queries, report_queries
from server.store.database import Database
from shared.clock import WallMs, from_ms

AT_ONCE = 2
"""Workbooks that are made together: each keeps a processor busy."""

_making = asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Setting:
    """Who asks when, in which language; ``company`` heads the file, empty for the top department's name."""

    now_ms: WallMs
    zone: ZoneInfo
    language: Language = "zh-CN"
    company: str = ""


async def csv_file(db: Database, scope: Scope, question: Question, setting: Setting, *, bom: bool) -> BinaryIO:
    """A report as CSV, open for reading at its start; it is on no disk any more once it is closed."""
    file = cast(BinaryIO, await asyncio.to_thread(tempfile.TemporaryFile, prefix="muster-report-"))
    try:
        async with db.reading() as connection:
            frame, rows = await _frame(connection, scope, question, setting)
            file.write(delimited.head(frame, bom=bom))
            async for piece in rows:
                file.write(await asyncio.to_thread(delimited.body, frame, piece))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


async def workbook(db: Database, scope: Scope, question: Question, setting: Setting) -> BinaryIO:
    """A report as XLSX, open for reading at its start; it is on no disk any more once it is closed."""
    with tempfile.TemporaryDirectory(prefix="muster-report-") as folder:
        path = Path(folder, "report.xlsx")
        async with _making, db.reading() as connection:
            frame, rows = await _frame(connection, scope, question, setting, with_sums=True)
            book = await asyncio.to_thread(Workbook, path, frame)
            with book:
                async for piece in rows:
                    await asyncio.to_thread(book.add, piece)
                await asyncio.to_thread(book.finish)
        return await asyncio.to_thread(path.open, "rb")


async def _frame(
    connection: AsyncConnection, scope: Scope, question: Question, setting: Setting, *, with_sums: bool = False
) -> tuple[Frame, AsyncIterator[list[Row]]]:
    columns, names = await reports.columns_and_names(connection, question.report)
    places, _, rows = await reports.pieces(connection, scope, question, columns)
    sums: Row = ()
    if with_sums:
        sums = await reports.sums_of(connection, scope, question, columns)
        if not sums:  # a report that is small, or summed in memory anyway
            whole = [row async for piece in rows for row in piece]
            sums, rows = summed(columns, whole), _once(whole)
    closed_ms = (await closing_queries.closed_months(connection)).get(question.month)
    company = await report_queries.company_name(connection)
    frame = Frame(
        question.report,
        question.month,
        setting.language,
        columns,
        setting.company or company[0 if setting.language == "zh-CN" else 1],
        setting.zone.key,
        local(setting.now_ms, setting.zone),
        None if closed_ms is None else local(closed_ms, setting.zone),
        {**names, **places},
        sums,
    )
    return frame, rows


async def _once(rows: list[Row]) -> AsyncIterator[list[Row]]:
    yield rows


def local(at_ms: WallMs, zone: ZoneInfo) -> str:
    """``YYYY-MM-DD HH:MM`` there."""
    return f"{from_ms(at_ms).astimezone(zone):%Y-%m-%d %H:%M}"
