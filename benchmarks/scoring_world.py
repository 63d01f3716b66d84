"""A company with facts of a year for the scoring bench: rows made inside PostgreSQL, the same on every machine."""

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

import asyncpg
from sqlalchemy import BigInteger, Boolean, Column, Date, Double, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.catalogue import default_catalogue
from server.scoring.family import parts_of
from server.scoring.indicator import Indicator
from server.scoring.plain import When
from server.scoring.window import days_of
from server.services.company import Company, Department, Employee, Site, load_company
from server.services.sources import put_source
from server.store.counted_facts import DERIVED
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import source_streams
from shared.clock import to_ms

ZONE = ZoneInfo("Asia/Shanghai")
NOW_MS = to_ms(datetime(2027, 1, 1, tzinfo=ZONE))
MONTHS = [When(days_of(f"2026-{month:02}"), ZONE, NOW_MS) for month in range(1, 13)]
PEOPLE = 1_000
DEPARTMENTS = ("business", "logistics", "customer_service", "operations", "new_media")
INDICATORS = 40
HOT = {"sales_order": (28, 0), "shipment": (25, 1), "ticket": (15, 2), "funnel_event": (20, 3), "content_post": (3, 4)}
"""Facts with most of the rows, in hundredths, and whose department they are of."""
YEAR_MS = 365 * 86_400_000
SOURCE = """
source: bench
kind: webhook
timezone: Asia/Shanghai
push: {{secrets: ["${{env:X}}"], facts: [{facts}]}}
"""
_WORDS = {
    "status": ("open", "fulfilled", "cancelled", "solved"),
    "kind": ("page_view", "product_view", "cart", "order", "paid"),
    "cost_class": ("delivery_carrier", "delivery_fleet", "other"),
    "account_class": ("current_asset", "current_liability", "revenue"),
    "purpose": ("employee_satisfaction", "user_feedback", "collaboration"),
    "org_key": DEPARTMENTS,
    "site_key": ("d1",),
}


def indicators() -> list[Indicator]:
    """Forty of those that are counted in rows of business systems."""
    own = [*DERIVED, "attendance_day"]
    fitting = [i for i in default_catalogue().indicators if not any(part.fact in own for part in parts_of(i))]
    return fitting[:INDICATORS]


def share(facts: int) -> dict[str, int]:
    """How many rows of each fact."""
    names = sorted({part.fact for one in indicators() for part in parts_of(one)})
    rest = [name for name in names if name not in HOT]
    left = 100 - sum(hundredths for hundredths, _ in HOT.values())
    return {n: facts * HOT[n][0] // 100 if n in HOT else facts * left // 100 // len(rest) for n in names}


async def prepare(db: Database, facts: int) -> int:
    """Fill an empty database; how many facts there are."""
    await load_company(db, "bench", _company(), NOW_MS)
    wanted = share(facts)
    source = SOURCE.format(facts=", ".join(sorted(wanted)))
    await put_source(db, source, "bench.yaml", Entry(NOW_MS, "bench", "bench", ""))
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=NOW_MS))
        for number, (fact, rows) in enumerate(wanted.items()):
            await _fill(connection, fact, rows, number)
    cluster = await asyncpg.connect(db.url.render_as_string(hide_password=False))
    await cluster.execute("VACUUM ANALYZE")  # as PostgreSQL does by itself within minutes
    await cluster.close()
    return sum(wanted.values())


async def _fill(connection: AsyncConnection, fact: str, rows: int, number: int) -> None:
    table = FACT_TABLES[fact]
    values = {column.name: _value(column, place) for place, column in enumerate(table.c)}
    department = HOT[fact][1] if fact in HOT else number % len(DEPARTMENTS)
    person = f"'e' || ({len(DEPARTMENTS)} * (h % {PEOPLE // len(DEPARTMENTS)}) + {department})"
    fixed = {"source": "'bench'", "source_key": "n::text", "employee": person, "employee_key": person}
    fixed |= {"payload_hash": "''::bytea", "first_seen_ms": "1", "changed_ms": "1", "run": "1", "deleted": "false"}
    values |= {name: value for name, value in fixed.items() if name in values}
    values |= {name: "NULL" for name in ("source_updated_at_ms", "sealed") if name in values}
    start = to_ms(datetime(2026, 1, 1, tzinfo=ZONE))
    names = ", ".join(f'"{name}"' for name in values)
    every = f"n, {start} + n * {YEAR_MS} / {rows} AS t, abs(hashint8extended(n, {number})) AS h"
    await connection.execute(
        text(
            f'INSERT INTO "{table.name}" ({names}) SELECT {", ".join(values.values())} '  # noqa: S608
            f"FROM (SELECT {every} FROM generate_series(1::bigint, {rows}) AS n) AS made"
        ).execution_options(no_parameters=True)
    )


def _value(column: Column[object], place: int) -> str:
    """An expression over ``n``, an instant ``t`` that grows with it, and a hash ``h``; one in ten is empty."""
    own = f"(h / {place + 7})"
    words = _WORDS.get(column.name)
    if words:
        value = f"(ARRAY[{', '.join(repr(word) for word in words)}])[1 + {own} % {len(words)}]"
    elif column.name == "period":
        value = "to_char(to_timestamp(t / 1000), 'YYYY-MM')"
    elif column.name in ("owner", "touched_by", "designer", "subject") or column.name.endswith("_courier"):
        return "NULL"
    elif isinstance(column.type, BigInteger):
        value = f"t + {own} % 10800000" if column.name.endswith("_ms") else f"{own} % 100000"
    elif isinstance(column.type, Date):
        value = f"(to_timestamp(t / 1000) + interval '8 hours')::date + ({own} % 3)::int"
    elif isinstance(column.type, Boolean):
        value = f"{own} % 5 <> 0"
    elif isinstance(column.type, Double):
        value = f"1 + ({own} % 41) / 10.0"
    else:
        value = f"'k' || {own} % 50000"
    return (
        f"CASE WHEN {own} % 10 > 0 THEN {value} END"
        if column.nullable and not column.name.startswith("paid")
        else value
    )


def _company() -> Company:
    return Company(
        departments=tuple(Department(id=one, name_zh=one, name_en=one) for one in DEPARTMENTS),
        sites=(Site(id="d1", name_zh="d1", name_en="d1", zone="Asia/Shanghai"),),
        employees=tuple(
            Employee(
                id=f"e{n}",
                name=f"e{n}",
                department=DEPARTMENTS[n % len(DEPARTMENTS)],
                site="d1",
                position="clerk",
                joined_on=date(2025, 1, 1),
            )
            for n in range(PEOPLE)
        ),
    )


def people_of(number: int) -> Iterator[str]:
    """So many people, of all departments in turn."""
    return (f"e{n % PEOPLE}" for n in range(number))
