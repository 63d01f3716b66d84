"""SEC-10: the broker's rules are not the last word: ingest itself asks who speaks, and about whose terminal."""

import pytest

from server.ingest.consumer import Consumer
from server.ingest.inbox import Message
from server.store import fleet_queries
from server.store.database import Database
from shared.scan import Scan, ScanKind
from shared.wire import Ack, Health, TerminalHealth, encode_message
from tests.server.ingest.world import CLOCKS, NOW_MS, A, B, ev, held, hello, open_alarms, punch, rows, stored_seqs

NOBODY = "gw-ffffffffff"


def acks(consumer: Consumer) -> dict[str, list[Ack]]:
    found: dict[str, list[Ack]] = {}
    while not consumer._acks.empty():
        gateway, ack = consumer._acks.get_nowait()
        found.setdefault(gateway, []).append(ack)
    return found


async def test_sec10_payload_ownership(db: Database) -> None:
    """Gateway A speaks of its own T1, of B's T2 and of a station of nobody: only its own is stored."""
    foreign_scan = Scan("S9", "P1", "", ScanKind.DELIVERED, NOW_MS)
    message = ev(1, [punch(1), punch(2, terminal="T2"), foreign_scan, punch(4)])
    consumer = Consumer(db, CLOCKS)
    await consumer.deal_with([Message(A, "ev", message)])
    assert await stored_seqs(db) == [1, 4]
    assert await rows(db, "SELECT seq, code FROM quarantine ORDER BY seq") == [
        (2, "foreign_terminal"),
        (3, "foreign_terminal"),
    ]
    assert await open_alarms(db) == {("foreign_terminal", "T2"): 1, ("foreign_terminal", "S9"): 1}
    assert acks(consumer)[A][0].streams[0].upto == 4, "the stream goes on"


@pytest.mark.parametrize(("gateway", "kind"), [(NOBODY, "unknown_gateway"), (B, "revoked_gateway")])
async def test_sec10_payload_ownership_of_a_gateway_that_may_not_speak(db: Database, gateway: str, kind: str) -> None:
    async with db.writing() as connection:
        await fleet_queries.set_gateway_status(connection, B, "revoked")
    consumer = Consumer(db, CLOCKS)
    await consumer.deal_with(
        [
            Message(gateway, "hello", encode_message(hello(held(1, 1)))),
            Message(gateway, "ev", ev(1, [punch(1, terminal="T2")])),
        ]
    )
    assert await stored_seqs(db) == []
    assert await rows(db, "SELECT gateway, code FROM quarantine") == [(gateway, kind)]
    assert await open_alarms(db) == {(kind, gateway): 2}
    assert all(ack.re is None for ack in acks(consumer).get(gateway, [])), "its hello has no answer"


async def test_sec10_payload_ownership_holds_for_health_too(db: Database) -> None:
    """A gateway can not speak for a terminal of another one."""
    told = [TerminalHealth(terminal=serial, name=serial, profile="x/y", state="online") for serial in ("T1", "T2")]
    health = Health(
        at=1,
        mono_ms=1,
        software="1",
        backlog=0,
        oldest_unacked_ms=None,
        free_bytes=1,
        quota_used_pct=1,
        terminals=told,
    )
    await Consumer(db, CLOCKS).deal_with([Message(A, "health", encode_message(health))])
    async with db.reading() as connection:
        known = {row.serial: row.health for row in await fleet_queries.terminal_rows(connection)}
    assert known["T1"] is not None
    assert known["T2"] is None
