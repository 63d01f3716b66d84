"""Rows of a person are counted from an index alone where a fact has most of all rows: their pages lie far apart."""

import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from benchmarks.scoring_world import prepare
from server.scoring.catalogue import default_catalogue
from server.scoring.family import parts_of
from server.scoring.part import read_part
from server.scoring.plain import When
from server.scoring.window import days_of
from server.store import counting
from server.store.counted_facts import DERIVED, shapes
from server.store.counting_executor import OnDatabase
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES

WHEN = When(days_of("2026-06"), ZoneInfo("Asia/Shanghai"), 1_782_000_000_000)
FACTS = 50_000
"""So many that to go through a whole table costs more than to ask an index."""
SCAN = re.compile(r"(Index Only Scan|Index Scan|Bitmap Index Scan)(?: Backward)? (?:using|on) (ix_fact_\w+)")
READ_ALONE = {
    str(index.name)
    for table in FACT_TABLES.values()
    for index in table.indexes
    if index.dialect_options["postgresql"]["include"]
}


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_shipped_indicators_count_a_person_without_reading_pages_of_rows(migrated_url: str) -> None:
    parts = dict.fromkeys(part for one in default_catalogue().indicators for part in parts_of(one))
    wanted = [read_part(part, shapes()) for part in parts if part.fact not in DERIVED]
    db, asked = Database(migrated_url), list[tuple[str, Any]]()
    await prepare(db, FACTS)
    async with db.writing() as connection:

        def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
            asked.append((statement, values))

        event.listen(connection.sync_connection, "before_cursor_execute", note)
        await counting.count_each(OnDatabase(connection), wanted, "person", ["e1"], [WHEN])
        event.remove(connection.sync_connection, "before_cursor_execute", note)
        plans = [await connection.exec_driver_sql(f"EXPLAIN {sql}", values) for sql, values in asked]
        scans = {scan for plan in plans for (line,) in plan for scan in SCAN.findall(line)}
    await db.close()
    assert {name for how, name in scans if how == "Index Only Scan"} >= READ_ALONE
    assert [name for how, name in scans if how != "Index Only Scan" and name in READ_ALONE] == []
