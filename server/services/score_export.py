"""A closed period for payroll: XLSX, CSV and rows for programs."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.reports import delimited
from server.reports.columns import columns_of
from server.reports.table import Cell, Frame, Row
from server.reports.workbook import Workbook
from server.scoring.cycle import Period
from server.services.report_files import Setting, local
from server.store import people_queries, period_queries, post_queries, report_queries
from server.store.database import Database
from server.store.period_queries import ClosedRow
from server.store.scope_filter import ALL, Narrow

MONEY = ("reward", "carried", "payable")


@dataclass(frozen=True, slots=True)
class PayRow:
    """What a period comes to for one person."""

    card: ClosedRow
    carried_minor: int
    """Adjustments of earlier periods, posted to this one."""

    @property
    def payable_minor(self) -> int:
        """Reward and adjustments."""
        return self.card.reward_minor + self.carried_minor


async def pay_rows(
    connection: AsyncConnection, scope: Scope, period: Period, narrow: Narrow = ALL, *, pay: bool = True
) -> list[PayRow]:
    """Closed cards of a period in scope, by name, with what late facts of earlier periods are worth.

    Without ``pay`` amounts stay closed and are 0.
    """
    carried: dict[str, int] = {}
    late = await period_queries.adjustments(connection, scope, narrow, posted_to=period) if pay else []
    for one in late:
        carried[one.employee] = carried.get(one.employee, 0) + one.money_minor
    cards = await period_queries.published(connection, scope, period, narrow, pay=pay)
    return [PayRow(card, carried.get(card.employee, 0)) for card in cards]


async def score_file(
    db: Database,
    scope: Scope,
    period: Period,
    narrow: Narrow,
    setting: Setting,
    *,
    kind: Literal["xlsx", "csv"],
    money: bool,
    bom: bool = True,
) -> BinaryIO:
    """The period as a file, open for reading at its start; without ``money`` no amount is opened or in it."""
    async with db.reading() as connection:
        rows = await pay_rows(connection, scope, period, narrow, pay=money)
        frame = await _frame(connection, period, setting, money=money)
    table = [_row(one, frame) for one in rows]
    return await asyncio.to_thread(_written, frame, table, kind, bom)


def _written(frame: Frame, rows: Sequence[Row], kind: Literal["xlsx", "csv"], bom: bool) -> BinaryIO:
    if kind == "csv":
        file = cast(BinaryIO, tempfile.TemporaryFile(prefix="muster-report-"))  # noqa: SIM115  (the caller closes it)
        file.write(delimited.head(frame, bom=bom))
        file.write(delimited.body(frame, rows))
        file.seek(0)
        return file
    with tempfile.TemporaryDirectory(prefix="muster-report-") as folder:
        path = Path(folder, "report.xlsx")
        with Workbook(path, frame) as book:
            book.add(rows)
        return path.open("rb")


async def _frame(connection: AsyncConnection, period: Period, setting: Setting, *, money: bool) -> Frame:
    closings = await period_queries.closing_rows(connection, period)
    company = await report_queries.company_name(connection)
    departments = await people_queries.department_names(connection, Scope.system())
    return Frame(
        "scores",
        period,
        setting.language,
        [column for column in columns_of("scores") if money or column.id not in MONEY],
        setting.company or company[0 if setting.language == "zh-CN" else 1],
        setting.zone.key,
        local(setting.now_ms, setting.zone),
        local(closings[0].closed_ms, setting.zone) if closings else None,
        {
            "department": {one.id: (one.name_zh, one.name_en) for one in departments},
            "position_name": await post_queries.position_names(connection),
        },
    )


def _row(row: PayRow, frame: Frame) -> list[Cell]:
    card = row.card
    part, whole = card.coverage
    cells: dict[str, Cell] = {
        "employee": card.employee,
        "name": card.name,
        "department": card.department,
        "position": card.position,
        "position_name": card.position,
        "computed": card.computed,
        "coverage": 10_000 * part // whole if whole else 0,
        "adjustment": card.adjustment,
        "veto_cap": card.veto_cap,
        "final": card.final,
        "grade": card.grade,
        "provisional": ("provisional",) if card.provisional else (),
        "version": card.version,
        "reward": card.reward_minor,
        "carried": row.carried_minor,
        "payable": row.payable_minor,
    }
    return [cells[column.id] for column in frame.columns]
