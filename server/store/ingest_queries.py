"""Streams, quarantine and feed: the rows around the events, read and written by one ingest transaction.

No row here is about a person, so none takes a scope.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Text, bindparam, cast, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import alarms, assignments, events, gateways, quarantine, streams
from server.store.upsert import insert_into
from shared.clock import ClockAnchor, WallMs
from shared.ranges import Ranges

StreamKey: TypeAlias = tuple[str, bytes]
"""(gateway, stream)."""


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as the database knows it, and whether its gateway may speak."""

    id: int
    gateway: str
    stream: bytes
    gateway_status: str
    upto: int
    also: Ranges
    lost: Ranges
    closed: bool
    anchor: ClockAnchor | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What could not be an event, with its raw bytes."""

    gateway: str
    stream: bytes | None
    seq: int | None
    code: str
    digest: bytes
    raw: bytes
    received_ms: WallMs


_COLUMNS = (
    streams.c.id,
    streams.c.gateway,
    streams.c.stream,
    gateways.c.status,
    streams.c.upto,
    streams.c.also,
    streams.c.lost,
    streams.c.closed,
    streams.c.anchor_mono_ms,
    streams.c.anchor_wall_ms,
)
_KEY = tuple_(streams.c.gateway, streams.c.stream)
_OPEN_KEYS = 400
"""Keys of one statement; SQLite takes at most 32,766 values, and deep expressions cost it stack."""


async def lock_streams(connection: AsyncConnection, keys: Collection[StreamKey]) -> dict[StreamKey, StreamRow]:
    """The rows of those streams that exist, locked in key order until the transaction ends."""
    found: dict[StreamKey, StreamRow] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), _OPEN_KEYS):
        statement = (
            select(*_COLUMNS)
            .join(gateways, gateways.c.id == streams.c.gateway)
            .where(_KEY.in_(wanted[start : start + _OPEN_KEYS]))
            .order_by(streams.c.gateway, streams.c.stream)
            .with_for_update(of=streams)
        )
        for row in await connection.execute(statement):
            found[row.gateway, row.stream] = as_stream(row)
    return found


async def add_streams(connection: AsyncConnection, keys: Collection[StreamKey]) -> None:
    """Rows for streams never seen; nothing for those that somebody else added meanwhile."""
    empty: dict[str, Any] = {"upto": 0, "also": [], "lost": [], "closed": False}
    rows = [{"gateway": gateway, "stream": stream, **empty} for gateway, stream in sorted(keys)]
    if rows:
        statement = insert_into(connection, streams).on_conflict_do_nothing(index_elements=["gateway", "stream"])
        await connection.execute(statement, rows)


async def advance_streams(connection: AsyncConnection, rows: Sequence[StreamRow]) -> None:
    """Write how far these locked streams are."""
    changed = [
        {
            "row": row.id,
            "upto": row.upto,
            "also": row.also,
            "lost": row.lost,
            "closed": row.closed,
            "anchor_mono_ms": row.anchor.mono_ms if row.anchor else None,
            "anchor_wall_ms": row.anchor.wall_ms if row.anchor else None,
        }
        for row in rows
    ]
    if changed:
        await connection.execute(update(streams).where(streams.c.id == bindparam("row")), changed)


async def kept_digests(
    connection: AsyncConnection, stream_id: int, span: tuple[int, int], at: tuple[WallMs, WallMs] | None
) -> dict[int, bytes]:
    """Digests of stored events of a span of seqs; ``at`` bounds the partitions that are searched."""
    wanted = select(events.c.seq, events.c.digest).where(events.c.stream_id == stream_id, events.c.seq.between(*span))
    if at is not None:
        wanted = wanted.where(events.c.at_ms.between(*at))
    return {row.seq: row.digest for row in await connection.execute(wanted)}


async def kept_rejects(
    connection: AsyncConnection, key: StreamKey, span: tuple[int, int]
) -> list[tuple[int, bytes, str]]:
    """(seq, digest, code) of quarantined events of a span of seqs, oldest first."""
    wanted = (
        select(quarantine.c.seq, quarantine.c.digest, quarantine.c.code)
        .where(quarantine.c.gateway == key[0], quarantine.c.stream == key[1], quarantine.c.seq.between(*span))
        .order_by(quarantine.c.id)
    )
    return [(row.seq, row.digest, row.code) for row in await connection.execute(wanted)]


async def put_quarantine(connection: AsyncConnection, rows: Iterable[Quarantined]) -> None:
    """Keep what can not be an event; the same bytes of one seq, or of a message without a head, are kept once."""
    values = [
        {
            "gateway": row.gateway,
            "stream": row.stream,
            "seq": row.seq,
            "code": row.code,
            "digest": row.digest,
            "raw": row.raw,
            "received_ms": row.received_ms,
            "state": "open",
        }
        for row in rows
    ]
    under_seq = [value for value in values if value["stream"] is not None]
    if under_seq:
        keys = ["gateway", "stream", "seq", "digest"]
        await connection.execute(
            insert_into(connection, quarantine).on_conflict_do_nothing(index_elements=keys), under_seq
        )
    for value in values:
        if value["stream"] is None:  # NULL never collides: the key can not tell a repeat
            same = (quarantine.c.gateway == value["gateway"], quarantine.c.digest == value["digest"])
            known = select(quarantine.c.id).where(quarantine.c.stream.is_(None), *same).limit(1)
            if await connection.scalar(known) is None:
                await connection.execute(quarantine.insert().values(**value))


async def open_rejects(
    connection: AsyncConnection, skip: Collection[str], after: int, most: int
) -> list[tuple[int, Quarantined]]:
    """Quarantined events behind id ``after`` that wait for a person, by id; none with a reason in ``skip``."""
    row = quarantine.c
    waiting = (row.id > after, row.state == "open", row.stream.is_not(None), row.code.not_in(sorted(skip)))
    columns = (row.id, row.gateway, row.stream, row.seq, row.code, row.digest, row.raw, row.received_ms)
    found = await connection.execute(select(*columns).where(*waiting).order_by(row.id).limit(most))
    return [(number, Quarantined(*kept)) for number, *kept in found]


async def take_rejects(connection: AsyncConnection, ids: Collection[int]) -> frozenset[int]:
    """Mark these quarantine rows as released; those that still waited. Their streams have to be locked."""
    waiting = (quarantine.c.id.in_(sorted(ids)), quarantine.c.state == "open")
    changed = update(quarantine).where(*waiting).values(state="released").returning(quarantine.c.id)
    return frozenset(await connection.scalars(changed))


async def dismiss_rejects(connection: AsyncConnection, ids: Collection[int], code: str | None) -> int:
    """Mark the rows with these ids, and all with that reason, as seen and of no use; how many still waited."""
    which = or_(quarantine.c.id.in_(sorted(ids)), quarantine.c.code == code)
    changed = update(quarantine).where(which, quarantine.c.state == "open").values(state="dismissed")
    return (await connection.execute(changed)).rowcount


async def streams_with_holes(connection: AsyncConnection) -> list[StreamRow]:
    """Streams that hold something beyond their watermark."""
    statement = select(*_COLUMNS).join(gateways, gateways.c.id == streams.c.gateway)
    rows = await connection.execute(statement.where(cast(streams.c.also, Text) != "[]").order_by(streams.c.id))
    return [as_stream(row) for row in rows]


async def clear_quiet_alarms(
    connection: AsyncConnection, kinds: Collection[str], quiet_since_ms: WallMs, at_ms: WallMs
) -> int:
    """Close open alarms of these kinds that were last raised before that time; how many."""
    quiet = (alarms.c.kind.in_(kinds), alarms.c.cleared_ms.is_(None), alarms.c.last_ms < quiet_since_ms)
    return (await connection.execute(update(alarms).where(*quiet).values(cleared_ms=at_ms))).rowcount


async def clear_adopted_terminals(connection: AsyncConnection, kind: str, at_ms: WallMs) -> int:
    """Close alarms about foreign terminals that somebody has assigned since; how many."""
    assigned = select(assignments.c.terminal).where(assignments.c.from_ms >= alarms.c.last_ms)
    over = (alarms.c.kind == kind, alarms.c.cleared_ms.is_(None), alarms.c.subject.in_(assigned))
    return (await connection.execute(update(alarms).where(*over).values(cleared_ms=at_ms))).rowcount


async def open_subjects(connection: AsyncConnection, kind: str) -> frozenset[str]:
    """Subjects of open alarms of a kind."""
    wanted = select(alarms.c.subject).where(alarms.c.kind == kind, alarms.c.cleared_ms.is_(None))
    return frozenset(await connection.scalars(wanted))


def as_stream(row: Sequence[Any]) -> StreamRow:
    """The stream of a row with the columns of ``lock_streams``."""
    number, gateway, stream, status, upto, also, lost, closed, mono_ms, wall_ms = row
    anchor = None if mono_ms is None else ClockAnchor(mono_ms, wall_ms)
    also, lost = ([(first, last) for first, last in pairs] for pairs in (also, lost))
    return StreamRow(number, gateway, stream, status, upto, also, lost, closed, anchor)
