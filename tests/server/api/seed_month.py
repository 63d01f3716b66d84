"""March 2026 of the small company, closed February, so that every column of the monthly report has something in it.

e1: one normal day (Mon 2), half a day of annual leave (Tue 3), a trip (Wed 4), 3 h of rest-day work banked (Sat 7).
e2: late (2), a missing way out that was decided by default (3), one that waits (4), 150 min of class 1.5 (5).
e3: absent (2), 60 min of class 3.0 on a date without shift (8), an adjustment from February.
e4: nothing.
"""

import datetime as dt
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import closing_tables, request_tables, tables
from server.store.database import Database
from tests.server.api.company import local_ms

MONTH = "2026-03"
CLOSED_MS = local_ms(10, day=dt.date(2026, 3, 1))
_ZERO = dict.fromkeys(
    f"{name}_min"
    for name in (
        *("required", "worked", "holiday_work", "late", "early", "gap", "absent", "pending", "exempt", "leave"),
        *("ot_15", "ot_20", "ot_30", "comp", "extra", "trip"),
    )
)


async def seed_month(db: Database) -> None:
    """Everything above; the results of 2 March are there already."""
    async with db.writing() as connection:
        for type_, balance in (("annual", "annual"), ("comp", "comp")):
            await _add(
                connection,
                request_tables.leave_types,
                **{"id": type_, "name_zh": {"annual": "年假", "comp": "调休"}[type_], "name_en": type_.title()},
                **{"paid": True, "balance": balance, "unit_min": 30, "file_from_min": None},
                **{"settings": {}, "retired": False},
            )
        await _day(connection, "e1", 3, required=240, worked=240, leave=240, leaves={"annual": 240})
        await _day(connection, "e1", 4, required=480, worked=480, trip=480, flags=["trip"])
        await _day(connection, "e1", 7, "rest_ot", shift=None, comp=180, day_type="restday")
        await _day(connection, "e2", 3, "missing_out", required=480, pending=480)
        await _day(connection, "e2", 4, "missing_in", required=480, pending=480)
        await _day(connection, "e2", 5, required=480, worked=480, ot_15=150)
        await _day(connection, "e3", 8, "holiday_ot", shift=None, ot_30=60, day_type="statutory")
        await _add(
            connection,
            closing_tables.decisions,
            **{"employee": "e2", "date": dt.date(2026, 3, 3), "part": 0, "status": "missing_out"},
            **{"minutes": {"required": 480, "pending": 480}, "absent_min": 240, "worked_min": 240},
            **{"how": "default", "note": "", "actor": "hr", "at_ms": CLOSED_MS},
        )
        await _add(
            connection,
            closing_tables.closings,
            **{"month": "2026-02", "closed_ms": CLOSED_MS, "closed_by": "hr", "summary": {}},
        )
        await _add(
            connection,
            closing_tables.adjustments,
            **{"employee": "e3", "date": dt.date(2026, 2, 27), "part": 0, "posted_to": MONTH},
            **{"status_from": "missing_out", "status_to": "normal", "delta": {"worked": 480, "pending": -480}},
            computed_ms=CLOSED_MS + 1,
        )
        await _add(
            connection,
            closing_tables.confirmations,
            **{"employee": "e1", "month": MONTH, "state": "confirmed", "asked_ms": 1, "asked_by": "hr"},
            **{"answered_ms": 2, "comment": "", "sums": {}},
        )
        await _request(connection, "e1", "correction", local_ms(9, day=dt.date(2026, 3, 2)))
        await _request(connection, "e1", "correction", local_ms(9, day=dt.date(2026, 2, 27)))
        await _request(connection, "e2", "correction", local_ms(9, day=dt.date(2026, 3, 4)), state="pending")
        await _add(
            connection,
            request_tables.leave_grants,
            **{"employee": "e1", "leave_type": "comp", "kind": "opening", "minutes": 600, "key": "opening"},
            **{"from_on": dt.date(2026, 1, 1), "until_on": None, "note": "", "actor": "hr", "at_ms": 1},
        )


async def _day(
    connection: AsyncConnection,
    employee: str,
    number: int,
    status: str = "normal",
    *,
    shift: str | None = "D",
    flags: tuple[str, ...] | list[str] = (),
    leaves: dict[str, int] | None = None,
    day_type: str = "workday",
    **minutes: int,
) -> None:
    await _add(
        connection,
        tables.attendance_days,
        **dict.fromkeys(_ZERO, 0) | {f"{name}_min": amount for name, amount in minutes.items()},
        **{"employee": employee, "date": dt.date(2026, 3, number), "part": 0, "shift": shift, "status": status},
        **{"first_ms": None, "last_ms": None, "flags": list(flags), "explain": {"rules": []}, "computed_ms": 1},
        **{"rule_version": "attendance-2", "leaves": leaves or {}, "day_type": day_type},
    )


async def _request(
    connection: AsyncConnection, employee: str, kind: str, at_ms: int, *, state: str = "approved"
) -> None:
    await _add(
        connection,
        request_tables.requests,
        **{"kind": kind, "employee": employee, "from_ms": at_ms, "to_ms": at_ms, "minutes": 0, "to_comp": False},
        **{"detail": {}, "reason": "", "state": state, "chain": [], "step": 0, "created_by": "hr", "created_ms": 1},
        decided_ms=2,
    )


async def _add(connection: AsyncConnection, table: Any, **values: Any) -> None:
    await connection.execute(table.insert().values(**values))
