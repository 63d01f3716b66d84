"""Rows that a system sent by itself, by push or by a vendor's call: stored like those that were asked for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.mapping import Mapped, Rejected
from server.connectors.source_file import Source, Stream
from server.services.fact_store import Arrival, Counts, store_page
from server.services.sealing import keep_page
from server.store import source_queries
from server.store.source_queries import SourceRow
from shared.clock import WallMs, to_ms


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of rows that were sent."""

    run: int
    counts: Counts
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose rows they are, and how they came."""

    row: SourceRow
    source: Source
    kind: Literal["push", "hook"]
    at_ms: WallMs


async def store_sent(
    connection: AsyncConnection,
    sender: Sender,
    stream: Stream,
    rows: Sequence[Any],
    mapped: Sequence[Mapped | Rejected],
) -> Sent:
    """Store what rows were mapped to in the caller's transaction, with a run of its own.

    Bad ones wait, and never stop the others.
    """
    name, at_ms = sender.row.id, sender.at_ms
    started = {"source": name, "stream": stream.id, "kind": sender.kind, "map_version": sender.row.map_version}
    run = await source_queries.begin_run(connection, {**started, "actor": sender.kind, "started_ms": at_ms})
    counts = await store_page(connection, Arrival(name, stream, sender.source.zone, run, at_ms), mapped)
    if rows:
        await keep_page(connection, run=run, name=name, stream=stream, at_ms=at_ms, rows=rows)
    await source_queries.set_run(connection, run, {"state": "ok", "ended_ms": at_ms, "pages": 1, **asdict(counts)})
    [known] = [one for one in await source_queries.streams_of(connection, [name]) if one.stream == stream.id]
    watermark_ms = max([*_times(mapped), *([known.watermark_ms] if known.watermark_ms else [])], default=None)
    await source_queries.set_stream(connection, name, stream.id, last_ok_ms=at_ms, watermark_ms=watermark_ms)
    await source_queries.set_state(connection, name, "ok", 0)
    return Sent(run, counts, tuple(one for one in mapped if isinstance(one, Rejected)))


def _times(rows: Sequence[Mapped | Rejected]) -> list[WallMs]:
    return [to_ms(one.row.occurred_at) for one in rows if isinstance(one, Mapped) and one.row.occurred_at is not None]
