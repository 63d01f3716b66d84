"""The migrated schema is exactly tables.py, on both databases; the operation log can only grow."""

import asyncio
import re
import sqlite3
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from server.store import migrate
from server.store.database import Database
from server.store.schema import metadata
from shared.errors import ConfigError

COLUMNS = """
    SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
      format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'alembic_version' ORDER BY 1, 2"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename NOT IN ('events_default', 'alembic_version') ORDER BY 1"
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
      AND conrelid::regclass::text NOT IN ('events_default', 'alembic_version') ORDER BY 1, 2"""
CONSTRAINT = re.compile(r"CONSTRAINT \w+ [A-Z ]+\([^)]*\)(?: REFERENCES \w+ \([^)]*\))?")
OPTIONS = "SELECT relname, reloptions FROM pg_class WHERE relkind = 'r' AND reloptions IS NOT NULL ORDER BY 1"
PARTITIONING = "SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid) FROM pg_partitioned_table"


def _sqlite_schema(path: Path) -> list[tuple[object, ...]]:
    """Columns in order, constraints and indexes in any: a column that was added later is written behind both."""
    with sqlite3.connect(path) as connection:
        objects = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger' ORDER BY name"
        ).fetchall()
        columns = {name: connection.execute(f"PRAGMA table_xinfo({name})").fetchall() for _, name, _ in objects}
    connection.close()
    return [
        (name, columns[name], sorted(CONSTRAINT.findall(" ".join(sql.split()))) if kind == "table" else sql)
        for kind, name, sql in objects
        if name != "alembic_version"
    ]


async def _create_from_tables(url: str) -> None:
    database = Database(url)
    async with database.writing() as connection:
        await connection.run_sync(metadata.create_all)
    await database.close()


async def _catalog(url: str) -> list[list[tuple[object, ...]]]:
    connection = await asyncpg.connect(url)
    queries = (COLUMNS, INDEXES, CONSTRAINTS, PARTITIONING, OPTIONS)
    found = [[tuple(row) for row in await connection.fetch(query)] for query in queries]
    await connection.close()
    return found


async def test_migrated_sqlite_schema_is_that_of_the_tables(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path / 'migrated.db'}")
    await _create_from_tables(f"sqlite:///{tmp_path / 'tables.db'}")
    assert _sqlite_schema(tmp_path / "migrated.db") == _sqlite_schema(tmp_path / "tables.db")


async def test_migrated_postgresql_schema_is_that_of_the_tables(postgres_url: str) -> None:
    await _create_from_tables(postgres_url)
    expected = await _catalog(postgres_url)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    migrate.upgrade(postgres_url)
    assert await _catalog(postgres_url) == expected
    assert expected[3] == [("events", "RANGE (at_ms)")]


def test_an_upgrade_can_be_repeated(database_url: str) -> None:
    assert not migrate.is_current(database_url)
    migrate.upgrade(database_url)
    migrate.upgrade(database_url)
    assert migrate.is_current(database_url)


async def test_two_processes_may_upgrade_at_once(postgres_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate.upgrade, postgres_url) for _ in range(3)))
    assert migrate.is_current(postgres_url)


async def test_a_schema_from_the_future_is_left_alone(database_url: str) -> None:
    migrate.upgrade(database_url)
    database = Database(database_url)
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(ConfigError, match="9999"):
        migrate.upgrade(database_url)


def test_no_revision_goes_back() -> None:
    for revision in ScriptDirectory.from_config(migrate._config()).walk_revisions():
        with pytest.raises(NotImplementedError, match="forward only"):
            revision.module.downgrade()


async def test_the_operation_log_can_only_grow(database_url: str) -> None:
    migrate.upgrade(database_url)
    database = Database(database_url)
    insert = text(
        "INSERT INTO operation_log (at_ms, actor, action, object, result, detail, previous_hash, hash) "
        "VALUES (1, 'cli', 'a', 'o', 'done', '{}', :h, :h)"
    )
    async with database.writing() as connection:
        await connection.execute(insert, {"h": bytes(32)})
    for change in ("UPDATE operation_log SET actor = 'x'", "DELETE FROM operation_log"):
        with pytest.raises(DBAPIError, match="append only"):
            async with database.writing() as connection:
                await connection.execute(text(change))
    async with database.reading() as connection:
        assert await connection.scalar(text("SELECT actor FROM operation_log")) == "cli"
    await database.close()
