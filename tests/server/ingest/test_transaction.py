"""What reaches the tables: events once, poison in quarantine, watermarks, feed and alarms, on both databases."""

import asyncio
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from server.ingest.gaps import STAYS_MS, GapWatch
from server.ingest.session import read_batch
from server.ingest.transaction import Ingest
from server.ingest.watch import look
from server.store import fleet_queries as fleet
from server.store.database import Database
from server.store.ingest_store import ingest_store
from shared.clock import Clocks
from shared.scan import Damaged
from shared.wire import Health, StreamAck
from tests.server.ingest.world import (
    MONDAY_S,
    NOW_MS,
    OTHER,
    STREAM,
    A,
    B,
    ev,
    held,
    hello,
    open_alarms,
    punch,
    punches,
    rows,
    sha256,
    stored_seqs,
)


@dataclass
class Server:
    """One ingest process without its broker."""

    db: Database
    ingest: Ingest = field(init=False)

    def __post_init__(self) -> None:
        self.ingest = Ingest(self.db, ingest_store(self.db))

    async def take(self, gateway: str, *payloads: bytes) -> StreamAck:
        """Store messages of one stream in one transaction."""
        acks = await self.ingest.store([(gateway, read_batch(payload)) for payload in payloads], NOW_MS)
        (ack,) = acks[gateway]
        return ack


@pytest.fixture
def server(db: Database) -> Server:
    return Server(db)


async def test_an_event_is_stored_as_sent_with_its_digest(server: Server, db: Database) -> None:
    payload = punches(1, 1)
    assert (await server.take(A, payload)).upto == 1
    (body,) = [item.body for item in read_batch(payload).items]
    ((seq, at_ms, received, digest, stored),) = await rows(
        db, "SELECT seq, at_ms, received_ms, digest, body FROM events"
    )
    assert (seq, at_ms, received, bytes(digest), bytes(stored)) == (  # type: ignore[call-overload]
        1,
        (MONDAY_S + 1) * 1000,
        NOW_MS,
        sha256(body),
        body,
    )


async def test_a_batch_sent_twice_is_stored_once_and_acked_twice(server: Server, db: Database) -> None:
    for _ in range(3):
        assert (await server.take(A, punches(1, 20), punches(1, 20))).upto == 20
    assert await stored_seqs(db) == list(range(1, 21))
    assert await rows(db, "SELECT first, last FROM feed") == [(1, 20)]
    assert await open_alarms(db) == {}


async def test_rel08_watermark_and_holes_survive_in_the_database(server: Server, db: Database) -> None:
    await server.take(A, punches(1, 3))
    assert (await server.take(A, punches(6, 8), punches(10, 10))).also == [(6, 8), (10, 10)]
    later = Server(db)
    assert (await later.take(A, punches(4, 5))).also == [(10, 10)]
    ack = await later.take(A, punches(9, 9))
    assert (ack.upto, ack.also) == (10, [])
    assert await stored_seqs(db) == list(range(1, 11))
    fed = await rows(db, "SELECT first, last FROM feed ORDER BY id")
    assert fed == [(1, 3), (6, 8), (10, 10), (4, 5), (9, 9)], "each seq is told to followers once"


async def test_rel05_same_key_with_another_digest_goes_to_quarantine(server: Server, db: Database) -> None:
    await server.take(A, punches(1, 5))
    other = ev(2, [punch(2, user="other")])
    for _ in range(2):
        ack = await server.take(A, other)
        assert ack.upto == 5
    assert await stored_seqs(db) == [1, 2, 3, 4, 5]
    (item,) = read_batch(other).items
    ((gateway, seq, code, raw),) = await rows(db, "SELECT gateway, seq, code, raw FROM quarantine")
    assert (gateway, seq, code, bytes(raw)) == (A, 2, "conflict", item.body)  # type: ignore[call-overload]
    assert await open_alarms(db) == {("conflict", A): 1}


async def test_rel05_a_conflict_with_another_month_is_seen_too(server: Server, db: Database) -> None:
    await server.take(A, punches(1, 2))
    await server.take(A, ev(1, [punch(1, at_s=MONDAY_S - 90 * 86_400)]))
    assert await rows(db, "SELECT seq, code FROM quarantine") == [(1, "conflict")]


async def test_one_seq_of_two_gateways_or_two_streams_is_two_events(server: Server, db: Database) -> None:
    await server.take(A, punches(1, 2))
    await server.take(A, punches(1, 2, stream=OTHER))
    await server.take(B, punches(1, 2, terminal="T2"))
    assert await stored_seqs(db) == [1, 2, 1, 2, 1, 2]
    assert await open_alarms(db) == {}


async def test_rel10_quarantine_keeps_poison_with_reason_and_raw_bytes(server: Server, db: Database) -> None:
    poison = ev(1, [punch(1), punch(2, terminal="T9"), Damaged("T1", "noise", b"\x00\xfe", 5), punch(4)])
    ack = await server.take(A, poison)
    assert (ack.upto, ack.rejected) == (4, [(2, "foreign_terminal"), (3, "noise")])
    assert await stored_seqs(db) == [1, 4]
    bodies = [item.body for item in read_batch(poison).items]
    found = await rows(db, "SELECT stream, seq, code, raw, state FROM quarantine ORDER BY seq")
    assert [(bytes(s), q, c, bytes(r), o) for s, q, c, r, o in found] == [  # type: ignore[call-overload]
        (STREAM, 2, "foreign_terminal", bodies[1], "open"),
        (STREAM, 3, "noise", bodies[2], "open"),
    ]
    assert await open_alarms(db) == {("foreign_terminal", "T9"): 1, ("bad_message", A): 1}


async def test_rel10_quarantine_of_a_terminal_ends_with_its_assignment(server: Server, db: Database) -> None:
    await server.take(A, ev(1, [punch(1, terminal="T2")]))
    async with db.writing() as connection:
        await fleet.assign_terminal(connection, "T2", A, NOW_MS + 1)
    await server.take(A, ev(2, [punch(2, terminal="T2")]))
    assert await stored_seqs(db) == [2], "a new assignment counts at once"
    await server.take(B, ev(1, [punch(3, terminal="T2")]))
    assert len(await stored_seqs(db)) == 2, "what the old gateway still holds is welcome"
    assert await open_alarms(db) == {("foreign_terminal", "T2"): 1}
    await look(db, Clocks(lambda: NOW_MS + 2, lambda: 0), GapWatch())
    assert await open_alarms(db) == {}


async def test_rel10_quarantine_takes_all_of_a_revoked_gateway_and_acks_it(server: Server, db: Database) -> None:
    await server.take(A, punches(1, 2))
    async with db.writing() as connection:
        await fleet.set_gateway_status(connection, A, "revoked")
    assert (await server.take(A, punches(3, 4))).upto == 4
    assert await stored_seqs(db) == [1, 2]
    assert await rows(db, "SELECT seq, code FROM quarantine ORDER BY seq") == [
        (3, "revoked_gateway"),
        (4, "revoked_gateway"),
    ]
    assert await server.ingest.greet(A, hello(), NOW_MS) is None


async def test_rel10_quarantine_takes_an_unknown_gateway_once_and_acks_nothing(server: Server, db: Database) -> None:
    stranger, payload = "gw-0000000000", punches(1, 2)
    for _ in range(2):
        assert await server.ingest.store([(stranger, read_batch(payload))], NOW_MS) == {}
    ((gateway, code, raw),) = await rows(db, "SELECT gateway, code, raw FROM quarantine")
    assert (gateway, code, bytes(raw)) == (stranger, "unknown_gateway", payload)  # type: ignore[call-overload]
    assert await server.ingest.greet(stranger, hello(), NOW_MS) is None
    assert set(await open_alarms(db)) == {("unknown_gateway", stranger)}


async def test_times_of_any_year_are_stored(server: Server, db: Database) -> None:
    years = [1970, 2000, 2014, 2016, 2026, 2027, 2099]
    events = [punch(n, at_s=(year - 1970) * 31_556_952) for n, year in enumerate(years, start=1)]
    assert (await server.take(A, ev(1, events))).upto == len(years)
    assert await stored_seqs(db) == list(range(1, len(years) + 1))


async def test_a_row_that_the_watermark_does_not_cover_is_no_stumbling_block(server: Server, db: Database) -> None:
    """As after a restore of some tables only: a unique violation is answered by comparing with every row."""
    await server.take(A, punches(1, 5))
    async with db.writing() as connection:
        await connection.execute(text("UPDATE streams SET upto = 0"))
    ack = await server.take(A, punches(1, 8))
    assert (ack.upto, ack.rejected) == (8, [])
    assert await stored_seqs(db) == list(range(1, 9))


async def test_two_processes_take_one_backlog_at_once(db: Database) -> None:
    """Any worker gets any message: both write all batches, in different order."""
    batches = [punches(first, first + 9) for first in range(1, 200, 10)]

    async def work(order: list[bytes]) -> None:
        server = Server(db)
        for payload in order:
            await server.take(A, payload)

    await asyncio.gather(work(batches), work(batches[::-1]), work(batches[10:] + batches[:10]))
    assert await stored_seqs(db) == list(range(1, 201))
    assert await rows(db, "SELECT upto FROM streams") == [(200,)]
    assert await open_alarms(db) == {}


# --- hello ----------------------------------------------------------------------------------------------------------


async def test_a_hello_is_answered_and_what_is_gone_is_given_up(server: Server, db: Database) -> None:
    await server.take(A, punches(1, 3))
    ack = await server.ingest.greet(A, hello(held(6, 9), held(1, 4, open_=True, stream=OTHER)), NOW_MS)
    assert ack is not None
    assert {(one.stream, one.upto) for one in ack.streams} == {(STREAM, 5), (OTHER, 0)}
    assert ack.re == b"h" * 16
    assert await open_alarms(db) == {("lost_at_gateway", A): 1}
    async with db.reading() as connection:
        (alarm,) = await fleet.open_alarms(connection)
    assert alarm.detail == {"stream": STREAM.hex(), "first": 4, "last": 5, "events": 2}
    await server.ingest.greet(A, hello(held(6, 9)), NOW_MS)
    assert await open_alarms(db) == {("lost_at_gateway", A): 1}, "told once"


async def test_two_machines_under_one_identity_raise_an_alarm(server: Server, db: Database) -> None:
    for machine in ("m1", "m1"):
        await server.ingest.greet(A, hello(machine=machine), NOW_MS)
    assert await open_alarms(db) == {}
    for machine in ("m2", "m1"):
        await server.ingest.greet(A, hello(machine=machine), NOW_MS)
    assert await open_alarms(db) == {("cloned_gateway", A): 2}


async def test_health_is_kept_and_pages_are_told(server: Server, db: Database) -> None:
    health = Health(at=5, mono_ms=5, software="1.2", backlog=7, oldest_unacked_ms=None, free_bytes=9, quota_used_pct=1)
    await server.ingest.keep_health({A: health, "gw-0000000000": health}, NOW_MS)
    async with db.reading() as connection:
        kept = {row.id: row.health for row in await fleet.gateway_rows(connection)}
    assert kept == {A: health, B: None}
    assert await rows(db, "SELECT topic FROM changes") == [("devices",)]


# --- alarms that time raises and ends -------------------------------------------------------------------------------


async def test_rel08_watermark_gap_is_shown_when_it_stays_and_cleared_when_filled(server: Server, db: Database) -> None:
    gaps, now = GapWatch(), 0
    clocks = Clocks(lambda: NOW_MS, lambda: now)
    await server.take(A, punches(3, 4))
    await look(db, clocks, gaps)
    now = STAYS_MS - 1
    await look(db, clocks, gaps)
    assert await open_alarms(db) == {}, "a resend may fill it yet"
    now = STAYS_MS
    await look(db, clocks, gaps)
    assert await open_alarms(db) == {("gap", A): 1}
    await server.take(A, punches(1, 2))
    await look(db, clocks, gaps)
    assert await open_alarms(db) == {}


def test_a_hole_that_moves_is_no_gap() -> None:
    watch = GapWatch()
    assert watch.standing([(1, 5)], 0) == set()
    assert watch.standing([(1, 6)], STAYS_MS) == set()
    assert watch.standing([(1, 6)], 2 * STAYS_MS) == {1}
    assert watch.standing([], 3 * STAYS_MS) == set()
    assert watch.standing([(1, 6)], 4 * STAYS_MS) == set()


async def test_doubts_end_when_they_do_not_come_back(server: Server, db: Database) -> None:
    await server.take(A, ev(1, [punch(1, terminal="T9")]))
    await look(db, Clocks(lambda: NOW_MS + 86_000_000, lambda: 0), GapWatch())
    assert set(await open_alarms(db)) == {("foreign_terminal", "T9")}
    await look(db, Clocks(lambda: NOW_MS + 87_000_000, lambda: 0), GapWatch())
    assert await open_alarms(db) == {}
