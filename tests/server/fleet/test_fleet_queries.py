"""Ownership of terminals, health and alarms, on both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import IntegrityError

from server.store import fleet_queries as fleet
from server.store.database import Database
from shared.wire import Health, TerminalHealth

A, B = "gw-aaaaaaaaaa", "gw-bbbbbbbbbb"


@pytest.fixture
async def db(migrated_url: str) -> AsyncIterator[Database]:
    """An empty database with two gateways and one terminal."""
    database = Database(migrated_url)
    async with database.writing() as connection:
        await fleet.put_site(connection, "d1", "一号站", "Depot 1", "Asia/Shanghai")
        for gateway in (A, B):
            stored = "$7$101$c2FsdA==$aGFzaA=="
            await fleet.add_gateway(connection, gateway, gateway, site="d1", password_hash=stored, at_ms=1_000)
        await fleet.put_terminal(connection, serial="T1", name="door", kind="terminal", user_group="d1")
    yield database
    await database.close()


def health(*terminals: str, backlog: int = 0) -> Health:
    """Telemetry that names these terminals."""
    states = [TerminalHealth(terminal=t, name=t, profile="zkteco/k40", state="online", drift_ms=250) for t in terminals]
    return Health(
        at=5,
        mono_ms=5,
        software="1",
        backlog=backlog,
        oldest_unacked_ms=None,
        free_bytes=9,
        quota_used_pct=1,
        terminals=states,
    )


async def test_a_moved_terminal_stays_welcome_from_its_old_gateway(db: Database) -> None:
    async with db.writing() as connection:
        assert await fleet.assign_terminal(connection, "T1", A, 2_000)
        assert await fleet.assign_terminal(connection, "T1", B, 3_000)
        assert await fleet.owned_terminals(connection, A) == {"T1"}
        assert await fleet.owned_terminals(connection, B) == {"T1"}
        assert [row.gateway for row in await fleet.terminal_rows(connection)] == [B]


async def test_a_terminal_belongs_to_one_gateway_at_a_time(db: Database) -> None:
    async with db.writing() as connection:
        assert await fleet.assign_terminal(connection, "T1", A, 2_000)
        assert not await fleet.assign_terminal(connection, "T1", A, 2_500), "already there"
        assert await fleet.assign_terminal(connection, "T1", B, 3_000)
        assert await fleet.assign_terminal(connection, "T1", A, 4_000), "and back"
        assert [row.gateway for row in await fleet.terminal_rows(connection)] == [A]
        assert await fleet.release_terminal(connection, "T1", 5_000)
        assert [row.gateway for row in await fleet.terminal_rows(connection)] == [None]
        assert not await fleet.release_terminal(connection, "T1", 6_000)


async def test_moving_there_and_back_in_one_millisecond_ends_with_one_owner(db: Database) -> None:
    async with db.writing() as connection:
        for gateway in (A, B, A):
            assert await fleet.assign_terminal(connection, "T1", gateway, 2_000)
        assert [row.gateway for row in await fleet.terminal_rows(connection)] == [A]


async def test_a_terminal_never_assigned_is_owned_by_nobody(db: Database) -> None:
    async with db.reading() as connection:
        assert await fleet.owned_terminals(connection, A) == frozenset()


async def test_an_assignment_to_an_unknown_gateway_is_refused_by_the_database(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.writing() as connection:
            await fleet.assign_terminal(connection, "T1", "gw-0000000000", 2_000)


async def test_health_speaks_only_for_terminals_that_belong_to_the_sender(db: Database) -> None:
    async with db.writing() as connection:
        await fleet.assign_terminal(connection, "T1", A, 2_000)
        await fleet.put_health(connection, B, health("T1", backlog=7), 6_000)
        (terminal,) = await fleet.terminal_rows(connection)
        assert terminal.health is None
        await fleet.put_health(connection, A, health("T1", "T9"), 7_000)
        (terminal,) = await fleet.terminal_rows(connection)
        assert terminal.health is not None
        assert terminal.health.drift_ms == 250
        backlogs = {row.id: row.health.backlog for row in await fleet.gateway_rows(connection) if row.health}
        assert backlogs == {A: 0, B: 7}


async def test_note_seen_returns_the_machine_known_before(db: Database) -> None:
    async with db.writing() as connection:
        assert await fleet.note_seen(connection, A, 1, machine="m1", software="1.0") is None
        assert await fleet.note_seen(connection, A, 2, machine="m2") == "m1"
        assert await fleet.note_seen(connection, A, 3) == "m2"
        (row, _) = await fleet.gateway_rows(connection)
        assert (row.last_seen_ms, row.software) == (3, "1.0")


async def test_an_open_alarm_is_counted_and_a_cleared_one_opens_anew(db: Database) -> None:
    async with db.writing() as connection:
        await fleet.raise_alarm(connection, "conflict", A, {"seq": 1}, 10)
        await fleet.raise_alarm(connection, "conflict", A, {"seq": 2}, 20, times=4)
        (alarm,) = await fleet.open_alarms(connection)
        assert (alarm.count, alarm.raised_ms, alarm.last_ms, alarm.detail) == (5, 10, 20, {"seq": 2})
        assert await fleet.clear_alarms(connection, ["conflict"], A, 30) == 1
        assert await fleet.open_alarms(connection) == []
        await fleet.raise_alarm(connection, "conflict", A, {"seq": 3}, 40)
        assert [(alarm.count, alarm.raised_ms) for alarm in await fleet.open_alarms(connection)] == [(1, 40)]


async def test_alarms_raised_at_once_by_two_processes_are_one_alarm(db: Database) -> None:
    async def raise_one(at_ms: int) -> None:
        async with db.writing() as connection:
            await fleet.raise_alarm(connection, "foreign_terminal", "T9", {"gateway": A}, at_ms)

    await asyncio.gather(*(raise_one(at_ms) for at_ms in range(1, 9)))
    async with db.reading() as connection:
        assert [alarm.count for alarm in await fleet.open_alarms(connection)] == [8]


async def test_a_revoked_gateway_has_no_password_any_more(db: Database) -> None:
    async with db.writing() as connection:
        assert await fleet.set_gateway_status(connection, A, "revoked")
        assert set(await fleet.password_hashes(connection)) == {B}
        assert await fleet.revoked_gateways(connection) == {A}
        assert await fleet.gateway_status(connection, A) == "revoked"
        assert await fleet.gateway_status(connection, "gw-0000000000") is None
        assert not await fleet.set_gateway_status(connection, "gw-0000000000", "revoked")
