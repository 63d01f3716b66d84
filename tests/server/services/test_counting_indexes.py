"""Whoever counts one person's rows looks for them by an index: reading a whole fact for each would never be quick."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql, sqlite

from server.scoring.family import parts_of
from server.scoring.part import read_part
from server.store import counting
from server.store.counted_facts import shapes
from server.store.counting_executor import Asked, OnDatabase
from server.store.database import Database
from server.store.fact_tables import _COUNTED
from tests.server.services.test_counting import COUNTED, WHEN

PARTS = {part for one in COUNTED if one.level == "person" for part in parts_of(one) if part.fact in _COUNTED}


@dataclass(frozen=True, slots=True)
class Noting(OnDatabase):
    """Remembers statements."""

    statements: list[Select[Any]] = field(default_factory=list)

    async def rows(self, asked: Sequence[Asked]) -> AsyncIterator[tuple[Asked, Sequence[Any]]]:
        for way, own in asked:
            self.statements.append(way(own))
            yield (way, own), []


async def plans(db: Database, fact: str) -> list[str]:
    """How the database goes about each statement that counts a fact for one person."""
    dialect = sqlite.dialect() if db.dialect == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
    found = []
    async with db.reading() as connection:
        if db.dialect == "postgresql":
            await connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are empty
        noting = Noting(connection)
        wanted = [read_part(part, shapes()) for part in sorted(PARTS, key=repr) if part.fact == fact]
        await counting.count(noting, wanted, "person", ["ann"], WHEN)
        for statement in noting.statements:
            plain = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
            words = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
            rows = await connection.exec_driver_sql((words + plain).replace("%%", "%"))
            found.append("\n".join(str(row[-1]) for row in rows))
    return found


@pytest.mark.parametrize("fact", sorted({part.fact for part in PARTS}))
async def test_rows_of_a_person_are_found_by_an_index(db: Database, fact: str) -> None:
    found = await plans(db, fact)
    assert found
    for plan in found:
        assert f"Seq Scan on fact_{fact}" not in plan, plan
        assert not any(line.strip() == f"SCAN fact_{fact}" for line in plan.splitlines()), plan
        assert f"ix_fact_{fact}_" in plan, plan
