"""Rows behind a score, selected again as its lineage says: what changed since has touched the score, which follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.indicator import Level
from server.scoring.part import ReadPart
from server.scoring.plain import When
from server.scoring.window import EPOCH
from server.store import counting
from server.store.tables import attendance_days, scans
from shared.clock import WallMs

_FIELDS = {"shipment": ("tracking_no", "delivered_at"), "attendance_day": ("employee", "date")}


@dataclass(frozen=True, slots=True)
class RowBehind:
    """One row behind a number."""

    kind: str
    """The fact."""
    source: str
    key: str
    """Date of a day record, tracking number of a parcel, else the key in its source."""
    at_ms: WallMs | None
    """Instant by which it counts: of a parcel when it was due or handed over."""
    on: date | None
    """Day by which it counts, where that is all there is."""
    counts: bool
    """In the numerator."""
    status: str
    """Of a day record, or ``counted``, ``not_counted``; of a parcel ``on_time``, ``late``, ``delivered_late``."""
    delivered_ms: WallMs | None
    refs: tuple[int, ...]
    """Ids of the punches or scans behind it."""


async def rows_behind(
    connection: AsyncConnection,
    parts: Sequence[ReadPart],
    level: Level,
    unit: str,
    when: When,
    *,
    limit: int,
    offset: int,
) -> tuple[int, list[RowBehind]]:
    """How many rows there are in all parts, and a page of them, part by part, each oldest first."""
    total, found = 0, list[RowBehind]()
    for part in parts:
        fact = part.part.fact
        statement = counting.listed(part, level, unit, when, _FIELDS.get(fact, ()))
        number = await connection.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
        skip, room = max(0, offset - total), limit - len(found)
        total += number
        if room > 0 and skip < number:
            page = (await connection.execute(statement.limit(room).offset(skip))).all()
            found += await _described(connection, part, page)
    return total, found


async def _described(connection: AsyncConnection, part: ReadPart, page: Sequence[Row[Any]]) -> list[RowBehind]:
    match part.part.fact:
        case "shipment":
            return await _parcels(
                connection, page, promised=bool(part.part.good) and "promised" in (part.part.date or "")
            )
        case "attendance_day":
            return await _days(connection, page)
    kind = None if part.date is None else part.date.kind
    return [
        RowBehind(
            kind=part.part.fact,
            source=row.source,
            key=row.source_key,
            at_ms=row.at if kind == "instant" else None,
            on=EPOCH + timedelta(days=row.at) if kind == "day" else None,
            counts=bool(row.counts),
            status="counted" if row.counts else "not_counted",
            delivered_ms=None,
            refs=(),
        )
        for row in page
    ]


async def _parcels(connection: AsyncConnection, page: Sequence[Row[Any]], *, promised: bool) -> list[RowBehind]:
    numbers = [row.tracking_no for row in page if row.tracking_no is not None]
    refs: dict[str, list[int]] = {}
    for scan in await connection.execute(select(scans.c.code, scans.c.id).where(scans.c.code.in_(numbers))):
        refs.setdefault(scan.code, []).append(scan.id)
    return [
        RowBehind(
            kind="shipment",
            source=row.source,
            key=row.tracking_no or row.source_key,
            at_ms=row.at,
            on=None,
            counts=bool(row.counts),
            status=_fate(row) if promised else "counted" if row.counts else "not_counted",
            delivered_ms=row.delivered_at,
            refs=tuple(sorted(refs.get(row.tracking_no, ()))),
        )
        for row in page
    ]


def _fate(row: Row[Any]) -> str:
    return "on_time" if row.counts else "late" if row.delivered_at is None else "delivered_late"


async def _days(connection: AsyncConnection, page: Sequence[Row[Any]]) -> list[RowBehind]:
    days = [EPOCH + timedelta(days=row.date) for row in page]
    columns = (attendance_days.c.employee, attendance_days.c.date, attendance_days.c.status, attendance_days.c.explain)
    people = {row.employee for row in page}
    mine = (attendance_days.c.employee.in_(sorted(people)), attendance_days.c.date.in_(days))
    refs: dict[tuple[str, date], list[int]] = {}
    wrong: dict[tuple[str, date], list[str]] = {}
    for record in await connection.execute(select(*columns).where(*mine)):
        refs.setdefault((record.employee, record.date), []).extend(record.explain["used"])
        if record.status != "normal":
            wrong.setdefault((record.employee, record.date), []).append(record.status)
    return [
        RowBehind(
            kind="attendance_day",
            source=row.source,
            key=day.isoformat(),
            at_ms=None,
            on=day,
            counts=bool(row.counts),
            status=min(wrong.get((row.employee, day), ["normal"])),
            delivered_ms=None,
            refs=tuple(sorted(refs.get((row.employee, day), ()))),
        )
        for row, day in zip(page, days, strict=True)
    ]
