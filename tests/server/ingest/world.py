"""A database with two gateways and their terminals, and what those send."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text

from server.store import fleet_queries as fleet
from server.store.database import Database
from shared.clock import ClockAnchor, Clocks
from shared.keys import Event
from shared.punch import Punch
from shared.wire import Hello, StreamState, encode_ev, encode_event

A, B = "gw-aaaaaaaaaa", "gw-bbbbbbbbbb"
STREAM, OTHER = b"s" * 16, b"t" * 16
MONDAY_S = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp())
NOW_MS = (MONDAY_S + 3600) * 1000
CLOCKS = Clocks(lambda: NOW_MS, lambda: 0)
SHANGHAI_S = 8 * 3600


async def make_world(url: str) -> Database:
    """In a migrated database: gateway A owns terminal T1, gateway B owns T2; both share user numbers."""
    db = Database(url)
    async with db.writing() as connection:
        await fleet.put_site(connection, "d1", "一号站", "Depot 1", "Asia/Shanghai")
        for gateway, serial in ((A, "T1"), (B, "T2")):
            await fleet.add_gateway(connection, gateway, gateway, site="d1", password_hash="x", at_ms=1)
            await fleet.put_terminal(
                connection, serial=serial, name=serial, kind="terminal", user_group="d1", site="d1"
            )
            await fleet.assign_terminal(connection, serial, gateway, 1)
    return db


def punch(number: int, *, terminal: str = "T1", user: str | None = None, at_s: int = MONDAY_S) -> Punch:
    """The n-th punch: a user and a second of its own."""
    device = at_s + SHANGHAI_S + number
    return Punch(terminal, str(number % 97) if user is None else user, device, SHANGHAI_S, (at_s + number) * 1000)


def ev(first: int, events: Sequence[Event], *, stream: bytes = STREAM) -> bytes:
    """An ``ev`` message."""
    return encode_ev(stream, first, [encode_event(event) for event in events])


def punches(first: int, last: int, *, terminal: str = "T1", stream: bytes = STREAM) -> bytes:
    """An ``ev`` message with the punches of these numbers under seqs of the same numbers."""
    return ev(first, [punch(n, terminal=terminal) for n in range(first, last + 1)], stream=stream)


def hello(*states: StreamState, machine: str = "m1", software: str = "1") -> Hello:
    """A hello about these streams."""
    return Hello(
        id=b"h" * 16,
        streams=list(states),
        machine=machine,
        wall_ms=NOW_MS,
        clock_synced=True,
        free_bytes=1,
        software=software,
    )


def held(first: int, last: int, *, open_: bool = False, stream: bytes = STREAM) -> StreamState:
    """What a gateway says of a stream it holds from ``first`` to ``last``."""
    return StreamState(stream, first, last, 0, open_, ClockAnchor(5, NOW_MS))


async def rows(db: Database, query: str) -> list[tuple[object, ...]]:
    """What a query of the test gives."""
    async with db.reading() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def stored_seqs(db: Database) -> list[int]:
    """Seqs of all events, with repeats if there were any."""
    return [int(str(seq)) for (seq,) in await rows(db, "SELECT seq FROM events ORDER BY stream_id, seq")]


async def open_alarms(db: Database) -> dict[tuple[str, str], int]:
    """Counts of open alarms by kind and subject."""
    async with db.reading() as connection:
        return {(alarm.kind, alarm.subject): alarm.count for alarm in await fleet.open_alarms(connection)}


def sha256(raw: bytes) -> bytes:
    """Digest as the specification names it."""
    return hashlib.sha256(raw).digest()
