"""Rows of facts as they are written: any number of them, whole, whatever a statement takes at once."""

import datetime as dt

import pytest
from sqlalchemy import select

from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.fact_writes import BLOCK, put_rows

SQLITE_VALUES = 32_766
"""Of one statement at most: https://www.sqlite.org/limits.html, 9."""
TABLE = FACT_TABLES["refund"]
COLUMNS = (
    *("source", "source_key", "order_key", "refunded_on", "amount_net_minor", "full"),
    *("payload_hash", "first_seen_ms", "changed_ms", "run", "deleted", "source_updated_at_ms", "occurred_at_ms"),
)


def rows(count: int, *, amount: int, updated_ms: int | None = None) -> list[tuple[object, ...]]:
    first = dt.date(2026, 1, 1)
    return [
        (
            *("shop", f"{number:05}", f"o{number}", first + dt.timedelta(days=number % 300), amount + number),
            *((None, True, False)[number % 3], number.to_bytes(16), 1, 1, 1, False, updated_ms, None),
        )
        for number in range(count)
    ]


async def stored(db: Database) -> list[tuple[object, ...]]:
    async with db.reading() as connection:
        which = select(*(TABLE.c[name] for name in COLUMNS)).order_by(TABLE.c.source_key)
        return [tuple(row) for row in await connection.execute(which)]


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 1_300])
async def test_any_number_of_rows_is_stored_whole(db: Database, count: int) -> None:
    async with db.writing() as connection:
        await put_rows(connection, TABLE, COLUMNS, rows(count, amount=100))
    assert await stored(db) == rows(count, amount=100)


async def test_only_rows_that_are_not_older_replace_those_stored(db: Database) -> None:
    async with db.writing() as connection:
        await put_rows(connection, TABLE, COLUMNS, rows(700, amount=100, updated_ms=20))
        await put_rows(connection, TABLE, COLUMNS, rows(600, amount=500, updated_ms=19))
        await put_rows(connection, TABLE, COLUMNS, rows(550, amount=900, updated_ms=20))
    newer, older = rows(550, amount=900, updated_ms=20), rows(700, amount=100, updated_ms=20)[550:]
    assert await stored(db) == newer + older


async def test_what_no_new_row_says_any_more_is_empty_afterwards(db: Database) -> None:
    unsaid = [COLUMNS.index(name) for name in ("full", "source_updated_at_ms")]
    less = [tuple(None if n in unsaid else value for n, value in enumerate(row)) for row in rows(700, amount=200)]
    async with db.writing() as connection:
        await put_rows(connection, TABLE, COLUMNS, rows(700, amount=100, updated_ms=20))
        await put_rows(connection, TABLE, COLUMNS, less)
    assert await stored(db) == less


async def test_a_further_page_leaves_no_further_statements_behind(db: Database) -> None:
    compiled: dict[object, object] = {}
    known = []
    async with db.writing() as connection:
        await connection.execution_options(compiled_cache=compiled)
        for amount in (1, 2, 3):
            await put_rows(connection, TABLE, COLUMNS, rows(700, amount=amount))
            known.append(len(compiled))
    assert known[0] == known[2]


@pytest.mark.parametrize("fact", FACT_TABLES)
def test_the_values_of_a_statement_are_as_many_as_sqlite_takes(fact: str) -> None:
    assert len(FACT_TABLES[fact].c) * BLOCK <= SQLITE_VALUES
