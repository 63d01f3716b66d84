"""The operation log is one chain without gaps; changes come in commit order; both with several writers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from server.store import change_queries, log_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.schema import metadata


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """An empty database without the triggers of the migrations, so that a test can falsify the log."""
    database = Database(database_url)
    async with database.writing() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()


async def append(db: Database, number: int) -> None:
    async with db.writing() as connection:
        entry = Entry(1_000 + number, "li", "roster.put", f"e{number}", detail={"days": ["2026-11-02"], "n": number})
        await log_queries.append(connection, entry)


async def broken(db: Database) -> int | None:
    async with db.reading() as connection:
        return await log_queries.first_broken_entry(connection)


async def test_writers_at_once_make_one_chain_without_gaps(db: Database) -> None:
    await asyncio.gather(*(append(db, number) for number in range(12)))
    async with db.reading() as connection:
        total, rows = await log_queries.operation_rows(connection, 5, 0)
    assert (total, [row.id for row in rows]) == (12, [12, 11, 10, 9, 8])
    assert await broken(db) is None


@pytest.mark.parametrize(
    ("forgery", "found"),
    [
        ("UPDATE operation_log SET actor = 'wang' WHERE id = 2", 2),
        ("UPDATE operation_log SET detail = '{}' WHERE id = 3", 3),
        ("DELETE FROM operation_log WHERE id = 2", 2),
        ("UPDATE operation_log SET at_ms = at_ms + 1 WHERE id = 4", 4),
    ],
)
async def test_a_forged_entry_is_found(db: Database, forgery: str, found: int) -> None:
    for number in range(4):
        await append(db, number)
    assert await broken(db) is None
    async with db.writing() as connection:
        await connection.execute(text(forgery))
    assert await broken(db) == found


async def test_an_entry_that_is_rolled_back_leaves_no_gap(db: Database) -> None:
    await append(db, 0)

    async def append_and_fail() -> None:
        async with db.writing() as connection:
            await log_queries.append(connection, Entry(1, "li", "a", "o"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await append_and_fail()
    await append(db, 1)
    async with db.reading() as connection:
        assert [row.id for row in (await log_queries.operation_rows(connection, 9))[1]] == [2, 1]
    assert await broken(db) is None


async def test_a_follower_of_changes_misses_none_of_several_writers(db: Database) -> None:
    """Watermark = highest id seen; without the lock a later id commits first and the earlier one is passed over."""

    async def write(writer: int) -> None:
        for number in range(15):
            async with db.writing() as connection:
                await change_queries.note_changes(connection, [f"employee:{writer}-{number}", "devices"], number)
                await asyncio.sleep(0)

    seen: list[str] = []

    async def follow() -> None:
        at = 0
        while len(seen) < 4 * 15 * 2:
            async with db.reading() as connection:
                found = await change_queries.changes_after(connection, at, 7)
            seen.extend(change.topic for change in found)
            at = found[-1].id if found else at
            await asyncio.sleep(0.001)

    async with asyncio.timeout(60):
        await asyncio.gather(follow(), *(write(writer) for writer in range(4)))
    assert len(set(seen)) == 4 * 15 + 1


async def test_the_newest_change_of_a_topic(db: Database) -> None:
    async with db.writing() as connection:
        assert await change_queries.newest_change(connection) == 0
        await change_queries.note_changes(connection, [], 1)
        await change_queries.note_changes(connection, ["devices", "devices"], 1)
        await change_queries.note_changes(connection, ["unmatched"], 2)
        assert await change_queries.newest_change(connection) == 2
        assert await change_queries.newest_change(connection, "devices") == 1
        assert await change_queries.newest_change(connection, "day:2026-11-02") == 0


async def test_old_changes_are_forgotten_and_no_id_is_given_twice(db: Database) -> None:
    async with db.writing() as connection:
        for at_ms in (1, 2, 3):
            await change_queries.note_changes(connection, ["devices"], at_ms)
        assert await change_queries.forget_changes(connection, before_ms=3) == 2
        assert await change_queries.forget_changes(connection, before_ms=9) == 0
        await change_queries.note_changes(connection, ["unmatched"], 9)
        left = await change_queries.changes_after(connection, 0, 9)
    assert [(change.id, change.topic) for change in left] == [(3, "devices"), (4, "unmatched")]
