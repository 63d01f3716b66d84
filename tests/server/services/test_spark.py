"""Spark on the lake counts like DuckDB on it and like the database, bit for bit."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from server.scoring.family import parts_of
from server.scoring.part import read_part
from server.store import counting
from server.store.counted_facts import shapes
from server.store.counting_executor import OnDatabase
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.lake_spark import OnSpark
from server.store.lake_writing import write_lake
from server.store.tables import departments, employees, sites
from tests.server.services.test_counting import COUNTED, FACTS_COUNTED, LEVELS, OWN, PERIODS, made, people

NEEDED = {"pyspark": importlib.util.find_spec("pyspark"), "java": shutil.which("java")}
MISSING = [name for name, there in NEEDED.items() if not there]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.mark.parametrize("fact", FACTS_COUNTED)
@settings(
    max_examples=1, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_spark_counts_like_the_database(
    migrated_sqlite: Database, fact: str, tmp_path: Path, data: st.DataObject
) -> None:
    db = migrated_sqlite
    async with db.writing() as connection:
        for table in (FACT_TABLES[fact], employees, departments, sites):
            await connection.execute(delete(table))
    await people(db)
    rows = [made(FACT_TABLES[fact], number, data.draw) for number in range(12)]
    async with db.writing() as connection:
        await connection.execute(insert(FACT_TABLES[fact]), rows)
    await write_lake(db, tmp_path)
    shipped = (part for indicator in COUNTED for part in parts_of(indicator))
    wanted = {part for part in (*shipped, *OWN) if part.fact == fact}
    parts = [read_part(part, shapes()) for part in sorted(wanted, key=repr)]
    spark = OnSpark(tmp_path)
    async with db.reading() as connection:
        await spark.know_units(connection)
        for level in LEVELS[::2] if fact == "refund" else LEVELS[:1]:  # a statement takes Spark a second
            expected = await counting.count(OnDatabase(connection), parts, level, None, PERIODS[0])
            assert await counting.count(spark, parts, level, None, PERIODS[0]) == expected, level
