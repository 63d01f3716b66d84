"""Rows with fields that are worked out in the server: pay never leaves it, working days need the company's calendar."""

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.calendar import PLAIN, Calendar
from server.facts.catalogue import SEALED
from server.scoring.plain import Row, Value, When, local_day
from server.services.sealing import fact_place
from server.store import contract_queries
from server.store.calendar_queries import calendars_of_sites
from server.store.counted_rows import counted_rows
from server.store.fact_rows import unsealed_values
from server.store.sealer import sealer_of

CONTRACT = "labour_contract"


async def derived_rows(connection: AsyncConnection, fact: str, when: When) -> list[Row]:
    """All rows of a fact, with the fields that no table has."""
    rows = await counted_rows(connection, fact, when)
    if fact == CONTRACT:
        return await _with_pay_in_band(connection, rows)
    calendars = await calendars_of_sites(connection)
    calendar = calendars[min(calendars)] if calendars else PLAIN
    return [{**row, "working_days": _working_days(row, calendar, when)} for row in rows]


def in_band(pay: Mapping[str, int | None]) -> bool | None:
    """Whether pay is within 0.8 to 1.2 of the middle of its grade; None where one of the three is not known."""
    least, most, own = (pay.get(name) for name in SEALED[CONTRACT])
    if least is None or most is None or own is None:
        return None
    return 4 * (least + most) <= 10 * own <= 6 * (least + most)


async def _with_pay_in_band(connection: AsyncConnection, rows: list[Row]) -> list[Row]:
    sealer = await sealer_of(connection)
    found: dict[tuple[str, str], bool | None] = {}
    if sealer is not None:
        for source, key, body in await contract_queries.graded_pay(connection):
            pay = unsealed_values(CONTRACT, sealer.open(body, fact_place(CONTRACT, source, key)))
            found[source, key] = in_band(pay)
    return [{**row, "pay_in_band": found.get((str(row["source"]), str(row["source_key"])))} for row in rows]


def _working_days(task: Row, calendar: Calendar, when: When) -> Value:
    """Working days after the day of the brief up to that of the decision, one at least."""
    brief, decided = task["brief_accepted_at"], task["decided_at"]
    if brief is None or decided is None:
        return None
    first, last = local_day(int(brief), when.zone), local_day(int(decided), when.zone)
    return max(1, sum(calendar.type_of(day) == "workday" for day in _after(first, last)))


def _after(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number + 1) for number in range((last - first).days)]
