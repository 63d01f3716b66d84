"""What a person has made right leaves quarantine: as an event under its own seq, as if it had come like that."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TypeAlias

from server.ingest.session import CONFLICT, MESSAGE_CODES, Item, Run, read_item
from server.ingest.transaction import feed_rows
from server.store import fleet_queries, ingest_queries, log_queries
from server.store.database import Database
from server.store.ingest_queries import Quarantined, StreamKey
from server.store.ingest_store import EventRow, FeedRow, IngestStore, ingest_store
from shared.clock import WallMs

PORTION = 1_000
"""Rows of one transaction."""
NO_EVENT = MESSAGE_CODES | {CONFLICT}
"""Whole messages, and second versions of an event that is there: neither has a place of its own to go to."""

Waiting: TypeAlias = tuple[int, Quarantined, Item]
"""Id of a quarantine row, the row, and the event in it."""


async def release(db: Database, actor: str, now_ms: WallMs) -> int:
    """Store what can be an event now: its terminal was assigned since, or this version can read it. How many were.

    The time of receipt stays the one of before, so that AR-4 judges as it would have.
    """
    store, owned, done, after = ingest_store(db), dict[str, frozenset[str]](), 0, 0
    while True:
        good: list[Waiting] = []
        async with db.reading() as connection:
            waiting = await ingest_queries.open_rejects(connection, NO_EVENT, after, PORTION)
            for number, row in waiting:
                if row.gateway not in owned:
                    owned[row.gateway] = await fleet_queries.owned_terminals(connection, row.gateway)
                item = read_item(row.raw)
                if item.code is None and item.source in owned[row.gateway]:
                    good.append((number, row, item))
        if not waiting:
            return done
        after = waiting[-1][0]
        if good:
            done += await _store(db, store, good, actor, now_ms)


async def dismiss(db: Database, actor: str, ids: Collection[int], code: str | None, now_ms: WallMs) -> int:
    """Say of rows that somebody has looked at them and nothing is to be done; how many. They stay, with their bytes."""
    async with db.writing() as connection:
        done = await ingest_queries.dismiss_rejects(connection, ids, code)
        if done:
            detail: log_queries.Detail = {"rows": done, "ids": [str(number) for number in sorted(ids)], "code": code}
            entry = log_queries.Entry(now_ms, actor, "quarantine.dismiss", "quarantine", detail=detail)
            await log_queries.append(connection, entry)
    return done


async def _store(db: Database, store: IngestStore, waiting: Sequence[Waiting], actor: str, now_ms: WallMs) -> int:
    """One transaction; what somebody else released meanwhile is left out."""
    await store.prepare([(item.at_ms, item.at_ms) for _, _, item in waiting], now_ms)
    async with db.writing() as connection:
        streams = await store.lock(connection, {_key(row) for _, row, _ in waiting})
        taken = await ingest_queries.take_rejects(connection, [number for number, _, _ in waiting])
        by_stream: dict[StreamKey, dict[int, tuple[WallMs, Item]]] = defaultdict(dict)
        for number, row, item in waiting:
            if number in taken and row.seq is not None:
                by_stream[_key(row)][row.seq] = row.received_ms, item
        if not by_stream:
            return 0
        events: list[EventRow] = []
        fed: list[FeedRow] = []
        for key, items in sorted(by_stream.items()):
            number = streams[key].id
            # An event that an older version stored and could not read is there already.
            there = await ingest_queries.kept_digests(connection, number, (min(items), max(items)), None)
            events += [
                (number, seq, item.at_ms, received_ms, item.digest, item.body)
                for seq, (received_ms, item) in sorted(items.items())
                if seq not in there
            ]
            fed += feed_rows(number, [Run(seq, [item]) for seq, (_, item) in items.items()], now_ms)
        if events:
            await store.insert(connection, events)
        gateways = sorted({gateway for gateway, _ in by_stream})
        detail: log_queries.Detail = {"events": len(taken), "gateways": gateways}
        entry = log_queries.Entry(now_ms, actor, "quarantine.release", "quarantine", detail=detail)
        await log_queries.append(connection, entry)
        await store.advance(connection, [streams[key] for key in by_stream], fed)
    return len(taken)


def _key(row: Quarantined) -> StreamKey:
    return row.gateway, row.stream or b""
