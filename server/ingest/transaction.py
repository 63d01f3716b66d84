"""One ingest transaction: sessions decide, the store writes, and the acks are returned only after the commit."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.ingest.session import CONFLICT, FOREIGN, Batch, Known, Reject, Run, Seen, covered, greet, refused, seen_of
from server.ingest.session import take as take_batches
from server.store import command_queries, fleet_queries, ingest_queries
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.fleet_queries import AlarmDetail
from server.store.ingest_faults import is_duplicate
from server.store.ingest_queries import Quarantined, StreamKey, StreamRow
from server.store.ingest_store import EventRow, FeedRow, IngestStore
from shared import ranges
from shared.clock import WallMs
from shared.keys import digest
from shared.ranges import Ranges
from shared.wire import Ack, Health, Hello, StreamAck

Sent: TypeAlias = tuple[str, Batch]
"""A gateway's id, from the topic, and what it sent."""

CLOSE_MS = 7 * 24 * 3_600_000

BAD_MESSAGE = "bad_message"
LOST = "lost_at_gateway"
CLONED = "cloned_gateway"
REVOKED = "revoked_gateway"
UNKNOWN = "unknown_gateway"


@dataclass(slots=True)
class _Writes:
    """What one transaction adds up to."""

    now_ms: WallMs
    events: list[EventRow] = field(default_factory=list)
    feed: list[FeedRow] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    streams: list[StreamRow] = field(default_factory=list)
    acks: dict[str, list[StreamAck]] = field(default_factory=lambda: defaultdict(list))
    alarms: Counter[tuple[str, str]] = field(default_factory=Counter)
    details: dict[tuple[str, str], AlarmDetail] = field(default_factory=dict)

    def alarm(self, kind: str, subject: str, detail: AlarmDetail) -> None:
        """Count an alarm; the newest detail is shown."""
        self.alarms[kind, subject] += 1
        self.details[kind, subject] = detail


class Ingest:
    """Stores what gateways send. Keeps nothing between transactions but which terminals are known to be owned."""

    def __init__(self, db: Database, store: IngestStore) -> None:
        self._db = db
        self._rows = store
        self._owned: dict[str, frozenset[str]] = {}  # only grows: a past assignment counts

    async def store(self, sent: Sequence[Sent], now_ms: WallMs) -> dict[str, list[StreamAck]]:
        """Commit these batches in one transaction; what is covered now, by gateway, to be acked."""
        await self._rows.prepare(_months(sent), now_ms)
        try:
            return await self._store(sent, now_ms, careful=False)
        except Exception as error:
            if not is_duplicate(error):
                raise
        # A row that the watermark does not cover, as after a partial restore: compare with every row there is.
        return await self._store(sent, now_ms, careful=True)

    async def greet(self, gateway: str, hello: Hello, now_ms: WallMs) -> Ack | None:
        """Answer a hello from the database; None for a gateway that may not speak."""
        async with self._db.writing() as connection:
            status = await fleet_queries.gateway_status(connection, gateway)
            if status != "active":
                kind = REVOKED if status else UNKNOWN
                await fleet_queries.raise_alarm(connection, kind, gateway, {"message": "hello"}, now_ms)
                return None
            before = await fleet_queries.note_seen(
                connection, gateway, now_ms, machine=hello.machine, software=hello.software
            )
            await command_queries.send_again(connection, gateway)
            rows = await self._locked(connection, {(gateway, state.stream) for state in hello.streams})
            greeting = greet({key[1]: _known(row) for key, row in rows.items()}, hello)
            await ingest_queries.advance_streams(
                connection, [_advanced(rows[gateway, stream], known) for stream, known in greeting.known.items()]
            )
            if before is not None and before != hello.machine:
                detail: AlarmDetail = {"machine": hello.machine, "before": before}
                await fleet_queries.raise_alarm(connection, CLONED, gateway, detail, now_ms)
            for stream, lost in greeting.lost.items():
                gone: AlarmDetail = {
                    "stream": stream.hex(),
                    "first": lost[0][0],
                    "last": lost[-1][1],
                    "events": ranges.size(lost),
                }
                await fleet_queries.raise_alarm(connection, LOST, gateway, gone, now_ms)
            await note_changes(connection, ["devices"], now_ms)
        return greeting.ack

    async def keep_health(self, newest: Mapping[str, Health], now_ms: WallMs) -> None:
        """Write the newest telemetry of gateways that may speak."""
        async with self._db.writing() as connection:
            for gateway, health in sorted(newest.items()):
                if await fleet_queries.gateway_status(connection, gateway) == "active":
                    await fleet_queries.put_health(connection, gateway, health, now_ms)
            await note_changes(connection, ["devices"], now_ms)

    async def refuse(self, gateway: str, code: str, raw: bytes, now_ms: WallMs) -> None:
        """Keep a message that has no readable head; nothing can be acked."""
        async with self._db.writing() as connection:
            await ingest_queries.put_quarantine(
                connection, [Quarantined(gateway, None, None, code, digest(raw), raw, now_ms)]
            )
            await fleet_queries.raise_alarm(connection, BAD_MESSAGE, gateway, {"code": code}, now_ms)

    async def _store(self, sent: Sequence[Sent], now_ms: WallMs, *, careful: bool) -> dict[str, list[StreamAck]]:
        by_stream: dict[StreamKey, list[Batch]] = defaultdict(list)
        for gateway, batch in sent:
            by_stream[gateway, batch.head.stream].append(batch)
        writes = _Writes(now_ms)
        async with self._db.writing() as connection:
            rows = await self._locked(connection, by_stream)
            for key, batches in sorted(by_stream.items()):
                if key in rows:
                    await self._take(connection, rows[key], batches, writes, careful=careful)
                else:
                    _refuse_unknown(key[0], batches, writes)
            await self._write(connection, writes)
        return dict(writes.acks)

    async def _locked(self, connection: AsyncConnection, keys: Collection[StreamKey]) -> dict[StreamKey, StreamRow]:
        """The streams' rows, locked; new ones are added, except for gateways nobody knows."""
        rows = await self._rows.lock(connection, keys)
        missing = set(keys) - set(rows)
        if not missing:
            return rows
        known = {
            gateway
            for gateway in {key[0] for key in missing}
            if await fleet_queries.gateway_status(connection, gateway) is not None
        }
        await ingest_queries.add_streams(connection, {key for key in missing if key[0] in known})
        return rows | await self._rows.lock(connection, missing)

    async def _take(
        self, connection: AsyncConnection, row: StreamRow, batches: Sequence[Batch], writes: _Writes, *, careful: bool
    ) -> None:
        if row.gateway_status != "active":
            batches = [refused(batch, REVOKED) for batch in batches]
        known = _known(row)
        spans = _spans(batches) if careful else covered(known, batches)
        seen = await _seen(connection, row, spans, batches)
        taken = take_batches(known, batches, seen, await self._owners(connection, row.gateway, batches))
        writes.streams.append(_advanced(row, taken.known))
        writes.acks[row.gateway].append(taken.ack)
        stream, received = row.id, writes.now_ms
        for first, items in taken.runs:
            writes.events += [
                (stream, seq, item[2], received, item[1], item[0])  # by index: this is every event's path
                for seq, item in enumerate(items, first)
            ]
        writes.feed += feed_rows(stream, taken.runs, received)
        for reject in taken.rejects:
            kept = (reject.seq, reject.code, reject.digest, reject.raw, writes.now_ms)
            writes.quarantine.append(Quarantined(row.gateway, row.stream, *kept))
            _alarm_about(row, reject, writes)

    async def _owners(self, connection: AsyncConnection, gateway: str, batches: Sequence[Batch]) -> frozenset[str]:
        owned = self._owned.get(gateway, frozenset())
        if any(not batch.sources <= owned for batch in batches):
            owned = self._owned[gateway] = await fleet_queries.owned_terminals(connection, gateway)
        return owned

    async def _write(self, connection: AsyncConnection, writes: _Writes) -> None:
        """In an order that all transactions share; the feed lock comes last."""
        if writes.events:
            await self._rows.insert(connection, writes.events)
        if writes.quarantine:
            await ingest_queries.put_quarantine(connection, writes.quarantine)
        for (kind, subject), times in sorted(writes.alarms.items()):
            detail = writes.details[kind, subject]
            await fleet_queries.raise_alarm(connection, kind, subject, detail, writes.now_ms, times=times)
        await self._rows.advance(connection, writes.streams, writes.feed)


def _refuse_unknown(gateway: str, batches: Sequence[Batch], writes: _Writes) -> None:
    """A gateway that nobody added has no streams: its messages are kept whole and never acked."""
    for batch in batches:
        kept = Quarantined(gateway, None, None, UNKNOWN, digest(batch.raw), batch.raw, writes.now_ms)
        writes.quarantine.append(kept)
        writes.alarm(UNKNOWN, gateway, {"message": "ev"})


def _alarm_about(row: StreamRow, reject: Reject, writes: _Writes) -> None:
    match reject.code:
        case "conflict":
            writes.alarm(CONFLICT, row.gateway, {"stream": row.stream.hex(), "seq": reject.seq})
        case "foreign_terminal":
            writes.alarm(FOREIGN, reject.source or row.gateway, {"gateway": row.gateway})
        case "revoked_gateway":
            writes.alarm(REVOKED, row.gateway, {"message": "ev"})
        case code:
            writes.alarm(BAD_MESSAGE, row.gateway, {"code": code, "source": reject.source})


async def _seen(
    connection: AsyncConnection, row: StreamRow, spans: Ranges, batches: Sequence[Batch]
) -> dict[int, Seen]:
    """What is kept under these seqs: first where the times of the batch say, then everywhere for what is missing."""
    stored: dict[int, bytes] = {}
    kept: list[tuple[int, bytes, str]] = []
    times = [item.at_ms for batch in batches for item in batch.items if item.code is None]
    for span in spans:
        if times:
            bounds = (min(times), max(times))
            stored |= await ingest_queries.kept_digests(connection, row.id, span, bounds)
        rejects = await ingest_queries.kept_rejects(connection, (row.gateway, row.stream), span)
        kept += rejects
        found = stored.keys() | {seq for seq, _, _ in rejects}
        if any(seq not in found for seq in range(span[0], span[1] + 1)):
            stored |= await ingest_queries.kept_digests(connection, row.id, span, None)
    return seen_of(stored.items(), kept)


def _spans(batches: Sequence[Batch]) -> Ranges:
    return ranges.ranges((batch.head.first, batch.head.last) for batch in batches)


def _months(sent: Sequence[Sent]) -> Iterator[tuple[WallMs, WallMs]]:
    """Spans of time, one where all times lie close together, as nearly always."""
    times = [item.at_ms for _, batch in sent for item in batch.items if item.code is None]
    if times and max(times) - min(times) <= CLOSE_MS:
        yield min(times), max(times)
    else:
        yield from ((at_ms, at_ms) for at_ms in times)


def feed_rows(stream_id: int, runs: Sequence[Run], now_ms: WallMs) -> list[FeedRow]:
    """A feed row for each stretch of consecutive seqs, so that none covers what another one told."""
    rows: list[FeedRow] = []
    for run in sorted(runs, key=itemgetter(0)):
        times = [item[2] for item in run.items]
        low, high = min(times), max(times)
        before = rows[-1] if rows else None
        if before and before.last + 1 == run.first:
            low, high = min(low, before.at_min_ms), max(high, before.at_max_ms)
            rows[-1] = FeedRow(stream_id, before.first, run.last, low, high, now_ms)
        else:
            rows.append(FeedRow(stream_id, run.first, run.last, low, high, now_ms))
    return rows


def _known(row: StreamRow) -> Known:
    return Known(row.upto, row.also, row.lost, row.closed, row.anchor)


def _advanced(row: StreamRow, known: Known) -> StreamRow:
    return replace(row, upto=known.upto, also=known.also, lost=known.lost, closed=known.closed, anchor=known.anchor)
