"""Rows that wait as a table for a spreadsheet: what may be pay is masked, and nothing is taken for a formula."""

import asyncio
import csv
import io
import tempfile
from collections.abc import Sequence
from typing import BinaryIO, Literal, cast

import msgspec

from server.access.scope import Scope
from server.facts.codes import WORDS
from server.reports.delimited import BOM, neutral
from server.services.sealing import MASK, has_pay
from server.store import review_queries
from server.store.database import Database
from server.store.review_queries import WaitingFact, Wanted
from shared.clock import WallMs, from_ms

Language = Literal["zh-CN", "en"]
_HEADINGS: dict[Language, tuple[str, ...]] = {
    "zh-CN": (
        "编号", "来源", "数据流", "事实", "行号", "主键", "部门", "原因", "字段", "状态", "首次出现", "最近出现",
        "负责人", "处理人", "处理时间", "更正", "说明", "原始内容",
    ),
    "en": (
        "Id", "Source", "Stream", "Fact", "Row", "Key", "Department", "Reasons", "Fields", "State", "First seen",
        "Last seen", "Assigned to", "Decided by", "Decided at", "Correction", "Note", "Raw row",
    ),
}  # fmt: skip


async def csv_file(db: Database, scope: Scope, wanted: Wanted, language: Language) -> BinaryIO:
    """All wanted rows, oldest first, UTF-8 with its mark; open for reading at its start. Times are UTC."""
    file = cast(BinaryIO, await asyncio.to_thread(tempfile.TemporaryFile, prefix="muster-waiting-"))
    try:
        file.write((BOM + _lines([_HEADINGS[language]])).encode())
        async with db.reading() as connection:
            async for rows in review_queries.pieces(connection, scope, wanted):
                file.write(_lines([_cells(row, language) for row in rows]).encode())
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _cells(row: WaitingFact, language: Language) -> list[str]:
    words = [WORDS[code][language == "en"] for code in row.codes]  # type: ignore[index]
    fields = [f"{one['field']}={one['value']}" for one in row.fields]
    raw = MASK if has_pay(row.fact) else msgspec.json.encode(row.raw).decode()
    patch = "" if row.patch is None else msgspec.json.encode(row.patch).decode()
    return [
        str(row.id), row.source, row.stream, row.fact, str(row.row_no), row.source_key or "", row.department or "",
        "; ".join(words), "; ".join(fields), row.state, _time(row.first_seen_ms), _time(row.last_seen_ms),
        row.assigned_to or "", row.decided_by or "", _time(row.decided_ms), patch, row.note, raw,
    ]  # fmt: skip


def _time(at_ms: WallMs | None) -> str:
    return "" if at_ms is None else from_ms(at_ms).isoformat(timespec="seconds")


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[neutral(cell) for cell in row] for row in rows])
    return text.getvalue()
