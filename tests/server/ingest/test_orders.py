"""Commands go out until their result is stored, and only the right gateway's result counts; on both databases."""

import asyncio
from contextlib import suppress
from zoneinfo import ZoneInfo

import aiomqtt
import pytest
from sqlalchemy import text

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.config import BrokerConfig, ServerConfig
from server.ingest import orders
from server.ingest.consumer import consume
from server.ingest.transaction import Ingest
from server.services import directory
from server.services.directory import in_words
from server.store import command_queries, fleet_queries
from server.store.database import Database
from server.store.ingest_store import ingest_store
from server.store.log_queries import first_broken_entry
from shared.errors import ConfigError, DataError
from shared.topics import down, up
from shared.wire import (
    MAX_RESULT_USERS,
    ChangeResult,
    Command,
    DirectoryUser,
    Result,
    UserChange,
    decode_message,
    encode_message,
)
from tests.server.ingest.world import CLOCKS, NOW_MS, A, B, hello, rows
from tests.support.mosquitto import Mosquitto

ID = b"c" * 16
ZONE = ZoneInfo("Asia/Shanghai")
DAY_MS = 24 * 3_600_000
LI = DirectoryUser(number="7", name="Li")


async def give(db: Database, *, id_: bytes = ID, terminal: str = "T1", expires_ms: int = NOW_MS + DAY_MS) -> Command:
    one = Command(id=id_, terminal=terminal, expires_ms=expires_ms, changes=[UserChange(user=LI, before=None)])
    async with db.writing() as connection:
        await command_queries.add_command(connection, one, "chen", NOW_MS)
    return one


def result(
    outcome: str = "done", *, id_: bytes = ID, terminal: str = "T1", message: str = "", **more: object
) -> Result:
    return Result(id=id_, terminal=terminal, at=NOW_MS, outcome=outcome, message=message, **more)  # type: ignore[arg-type]


async def outcome(db: Database, id_: bytes = ID) -> tuple[str, str]:
    async with db.reading() as connection:
        row = (await command_queries.commands_by_id(connection, [id_]))[id_]
    return row.outcome, in_words(row)


async def test_a_command_is_sent_once_a_minute_until_its_result_is_stored(db: Database) -> None:
    one = await give(db)
    assert await orders.due(db, NOW_MS) == [(A, one)]
    assert await orders.due(db, NOW_MS + 59_000) == []
    assert await orders.due(db, NOW_MS + 61_000) == [(A, one)]
    done = result(changes=[ChangeResult(number="7", outcome="done")], users=[LI])
    await orders.keep_result(db, A, done, NOW_MS + 62_000)
    await orders.keep_result(db, A, done, NOW_MS + 63_000)
    assert await orders.due(db, NOW_MS + 200_000) == []
    assert await outcome(db) == ("done", "1 of 1 written")
    async with db.reading() as connection:
        assert await command_queries.newest_list(connection, "T1") == (NOW_MS + 62_000, [LI])
        assert await first_broken_entry(connection) is None


async def test_a_gateway_that_greets_gets_its_open_commands_anew(db: Database) -> None:
    one, other = await give(db), await give(db, id_=b"d" * 16, terminal="T2")
    assert await orders.due(db, NOW_MS) == [(A, one), (B, other)]
    await Ingest(db, ingest_store(db)).greet(A, hello(), NOW_MS)
    assert await orders.due(db, NOW_MS + 1) == [(A, one)]


async def test_a_terminal_that_moved_gets_its_commands_from_its_new_gateway(db: Database) -> None:
    one = await give(db)
    async with db.writing() as connection:
        await fleet_queries.assign_terminal(connection, "T1", B, NOW_MS)
    assert await orders.due(db, NOW_MS) == [(B, one)]
    await orders.keep_result(db, A, result("waiting", message="no answer"), NOW_MS)  # it belonged to A once
    assert (await outcome(db))[0] == "waiting"


async def test_what_waits_is_said_and_a_late_word_changes_nothing_final(db: Database) -> None:
    await give(db)
    assert (await outcome(db))[1] == "waits for its gateway"
    await orders.due(db, NOW_MS)
    assert (await outcome(db))[1] == "sent, no answer yet"
    await orders.keep_result(db, A, result("waiting", message="no answer"), NOW_MS)
    assert (await outcome(db))[1] == "waits for the terminal, which is tried again: no answer"
    await orders.keep_result(db, A, result("failed", message="wrong key"), NOW_MS)
    await orders.keep_result(db, A, result("waiting", message="no answer"), NOW_MS)
    assert await outcome(db) == ("failed", "failed: wrong key")


async def test_a_long_list_is_complete_when_its_last_part_is_stored_in_any_order(db: Database) -> None:
    await give(db)
    people = [DirectoryUser(number=str(n), name=f"P{n}") for n in range(3)]
    for part in (2, 0, 2):
        await orders.keep_result(db, A, result(users=[people[part]], part=part, parts=3), NOW_MS)
        assert (await outcome(db))[0] == "open"
    await orders.keep_result(db, A, result(users=[people[1]], part=1, parts=3), NOW_MS)
    async with db.reading() as connection:
        assert await command_queries.newest_list(connection, "T1") == (NOW_MS, people)


async def test_only_the_newest_list_of_a_terminal_is_kept(db: Database) -> None:
    for number in range(3):
        await give(db, id_=bytes([number]) * 16)
        user = DirectoryUser(number=str(number))
        await orders.keep_result(db, A, result(id_=bytes([number]) * 16, users=[user]), NOW_MS + number)
    assert await rows(db, "SELECT count(*) FROM command_users") == [(1,)]
    async with db.reading() as connection:
        newest = await command_queries.newest_list(connection, "T1")
    assert newest == (NOW_MS + 2, [DirectoryUser(number="2")])


async def test_nobody_answering_ends_with_expiry(db: Database) -> None:
    await give(db, expires_ms=NOW_MS + 1000)
    assert len(await orders.due(db, NOW_MS)) == 1
    assert await orders.due(db, NOW_MS + 70_000) == [], "expired commands are not sent"
    assert (await outcome(db))[0] == "open", "its gateway may still tell"
    await orders.due(db, NOW_MS + 1001 + orders.LATE_MS)
    assert (await outcome(db))[0] == "expired"


@pytest.mark.parametrize(
    ("gateway", "bad", "code"),
    [
        (B, result(), "foreign_terminal"),
        ("gw-cccccccccc", result(), "revoked_gateway"),
        (A, result(id_=b"x" * 16), "unknown_command"),
        (A, result(terminal="T2"), "foreign_terminal"),
        (A, result("brilliant"), "bad_result"),
        (A, result(part=2, parts=2), "bad_result"),
        (A, result(users=[LI] * (MAX_RESULT_USERS + 1)), "bad_result"),
    ],
)
async def test_a_result_that_can_not_be_is_refused(db: Database, gateway: str, bad: Result, code: str) -> None:
    await give(db)
    with pytest.raises(DataError) as error:
        await orders.keep_result(db, gateway, bad, NOW_MS)
    assert error.value.code == code
    assert (await outcome(db))[0] == "open"


async def test_texts_that_no_column_can_hold_are_mended(db: Database) -> None:
    await give(db)
    changes = [ChangeResult(number="7\0", outcome="refused", message="a\0b")]
    users = [DirectoryUser(number="7", name="L\0i")]
    await orders.keep_result(db, A, result(changes=changes, users=users, message="x\0"), NOW_MS)
    assert (await outcome(db))[1].endswith("1 refused, such as 7: ab")


async def test_people_are_compared_with_the_list_and_written_with_an_entry_in_the_log(db: Database) -> None:
    async with db.writing() as connection:
        for statement in (
            "INSERT INTO departments VALUES ('ops', NULL, '运营', 'Operations')",
            "INSERT INTO employees (id, name, department, site, position, joined_on, left_on)"
            " VALUES ('e1', 'Li Na', 'ops', 'd1', 'courier', '2026-01-01', NULL)",
            "INSERT INTO employees (id, name, department, site, position, joined_on, left_on)"
            " VALUES ('e2', 'Wu', 'ops', 'd1', 'courier', '2026-01-01', '2026-11-01')",
            "INSERT INTO terminal_users VALUES ('d1', '7', 'e1'), ('d1', '8', 'e2')",
        ):
            await connection.execute(text(statement))
    (door,) = await directory.chosen(db, terminal="T1", group=None)
    both = await directory.chosen(db, terminal=None, group="d1")
    assert [row.serial for row in both] == ["T1", "T2"]
    (asked,) = await directory.ask_lists(db, "chen", [door], NOW_MS)
    wu = DirectoryUser(number="8", name="Wu", card="5")
    await orders.keep_result(db, A, result(id_=asked, users=[LI, wu]), NOW_MS)
    (told,) = (await directory.answers(db, [asked], 5)).values()
    assert in_words(told) == "listed"
    compared = await directory.differences(db, Scope.system(), both, ZONE, NOW_MS)
    assert [[step.kind for step in one.difference.steps] if one.difference else None for one in compared] == [
        ["rename", "disable"],
        None,
    ], "2 November: Wu's last day was the 1st; nobody knows T2 yet"
    (sent,) = await directory.apply(db, "chen", compared, NOW_MS)
    ((gateway, command),) = await orders.due(db, NOW_MS)
    assert (gateway, command.id, command.expires_ms) == (A, sent, NOW_MS + 14 * DAY_MS)
    assert [change.user.name for change in command.changes] == ["Li Na", "Wu"]
    assert [(change.before, change.user.enabled) for change in command.changes] == [(LI, True), (wu, False)]
    logged = await rows(db, "SELECT actor, action, object FROM operation_log ORDER BY id")
    assert logged == [("chen", "directory.list", "T1"), ("chen", "directory.apply", "T1")]


async def test_only_who_sees_everyone_sees_who_is_enrolled(db: Database) -> None:
    manager = Scope(departments=frozenset({"ops"}))
    with pytest.raises(NotFoundError):
        await directory.enrolled(db, manager, "T1")
    with pytest.raises(NotFoundError):
        await directory.differences(db, manager, [], ZONE, NOW_MS)


async def test_a_terminal_or_group_that_is_not_there_is_said(db: Database) -> None:
    for words in (
        {"terminal": "T9", "group": None},
        {"terminal": None, "group": "x"},
        {"terminal": None, "group": None},
    ):
        with pytest.raises(ConfigError):
            await directory.chosen(db, **words)


async def test_over_a_broker_the_command_arrives_and_its_result_is_stored(
    db: Database, mosquitto: Mosquitto, tmp_path: object
) -> None:
    one = await give(db, expires_ms=CLOCKS.wall_ms() + DAY_MS)
    passwords = mosquitto.folder / "passwords"
    passwords.write_text("server-1:secret\n")
    passwords.chmod(0o600)
    broker = BrokerConfig(host="127.0.0.1", port=mosquitto.port, embedded=False, password_file=passwords)
    config = ServerConfig(broker=broker)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port, timeout=10) as gateway, asyncio.timeout(30):
        await gateway.subscribe(down(A, "cmd"), qos=1)
        consuming = asyncio.create_task(consume(db, config, CLOCKS))
        async for message in gateway.messages:
            assert decode_message(bytes(message.payload), Command) == one
            break
        done = result(changes=[ChangeResult(number="7", outcome="done")])
        await gateway.publish(up(A, "result"), encode_message(done), qos=1)
        foreign = result("failed")
        await gateway.publish(up(B, "result"), encode_message(foreign), qos=1)
        while await rows(db, "SELECT code FROM quarantine") != [("foreign_terminal",)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while (await outcome(db))[0] != "done":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        consuming.cancel()
        with suppress(asyncio.CancelledError):
            await consuming
