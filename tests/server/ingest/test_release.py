"""Point 7 of the delivery protocol: a person can correct what is in quarantine and release it."""

import asyncio
from zoneinfo import ZoneInfo

from server.ingest.identity import identify
from server.ingest.release import dismiss, release
from server.ingest.session import read_batch
from server.ingest.transaction import Ingest
from server.store import fleet_queries
from server.store.database import Database
from server.store.ingest_store import ingest_store
from shared.keys import Event
from tests.server.ingest.world import MONDAY_S, NOW_MS, A, ev, punch, rows, stored_seqs

ZONE = ZoneInfo("Asia/Shanghai")
LATER_MS = NOW_MS + 86_400_000
WHOLE = "SELECT state, count(*) FROM quarantine GROUP BY state ORDER BY state"


async def send(db: Database, first: int, *events: Event) -> None:
    """What gateway A sends."""
    await Ingest(db, ingest_store(db)).store([(A, read_batch(ev(first, events)))], NOW_MS)


async def assign(db: Database, serial: str) -> None:
    """Somebody notices that the terminal is ours."""
    async with db.writing() as connection:
        await fleet_queries.put_terminal(
            connection, serial=serial, name=serial, kind="terminal", user_group="d1", site="d1"
        )
        await fleet_queries.assign_terminal(connection, serial, A, LATER_MS)


async def test_rel10_quarantine_gives_back_the_punches_of_a_terminal_assigned_afterwards(db: Database) -> None:
    await send(db, 1, punch(1), punch(2, terminal="T9"), punch(3, terminal="T9"), punch(4), punch(5, terminal="T8"))
    await identify(db, NOW_MS, ZONE)
    assert await release(db, "li", LATER_MS) == 0, "nobody has assigned it yet"
    await assign(db, "T9")
    assert await release(db, "li", LATER_MS) == 2
    await identify(db, NOW_MS, ZONE)
    assert await rows(db, "SELECT terminal, at_ms, received_ms FROM punches ORDER BY at_ms") == [
        (terminal, (MONDAY_S + number) * 1000, NOW_MS)
        for number, terminal in ((1, "T1"), (2, "T9"), (3, "T9"), (4, "T1"))
    ]
    assert await rows(db, "SELECT seq, repeat FROM sources ORDER BY seq") == [(n, False) for n in (1, 2, 3, 4)]
    assert await rows(db, WHOLE) == [("open", 1), ("released", 2)], "that of T8 still waits"
    assert await rows(db, "SELECT actor, action FROM operation_log WHERE action LIKE 'quarantine%'") == [
        ("li", "quarantine.release")
    ]


async def test_what_was_released_is_known_when_its_gateway_sends_it_again(db: Database) -> None:
    await send(db, 1, punch(1, terminal="T9"), punch(2))
    await assign(db, "T9")
    await asyncio.gather(release(db, "li", LATER_MS), release(db, "wang", LATER_MS))
    await send(db, 1, punch(1, terminal="T9"), punch(2))
    assert await stored_seqs(db) == [1, 2]
    assert await rows(db, WHOLE) == [("released", 1)]
    assert await rows(db, "SELECT upto FROM streams") == [(2,)]
    assert await rows(db, "SELECT first, last FROM feed ORDER BY id") == [(2, 2), (1, 1)]


async def test_messages_and_conflicts_have_no_place_to_be_released_to(db: Database) -> None:
    await send(db, 1, punch(1))
    await send(db, 1, punch(9))
    message = ev(2, [punch(2)])
    of_version_99 = message[:1] + bytes([99]) + message[2:]
    await Ingest(db, ingest_store(db)).store([(A, read_batch(of_version_99))], NOW_MS)
    assert await release(db, "li", LATER_MS) == 0
    assert await rows(db, WHOLE) == [("open", 2)]
    assert await identify(db, NOW_MS, ZONE) == 1


async def test_what_somebody_has_looked_at_waits_no_more_and_is_not_released(db: Database) -> None:
    await send(db, 1, *(punch(number, terminal=f"T{number}") for number in (6, 7, 8, 9)))
    first, *_ = [number for (number,) in await rows(db, "SELECT id FROM quarantine ORDER BY seq")]
    assert isinstance(first, int)
    assert await dismiss(db, "li", [first, 10**6], None, LATER_MS) == 1
    assert await dismiss(db, "li", [first], None, LATER_MS) == 0, "once"
    await assign(db, "T6")
    assert await release(db, "li", LATER_MS) == 0
    assert await dismiss(db, "li", [], "foreign_terminal", LATER_MS) == 3
    assert await rows(db, WHOLE) == [("dismissed", 4)]
    assert await rows(db, "SELECT count(*) FROM operation_log WHERE action = 'quarantine.dismiss'") == [(2,)]
