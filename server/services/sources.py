"""Business systems as IT sets them up: from a checked file to a source that is run."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.connectors.fetch.position import seconds
from server.connectors.source_file import Source, Stream, read_source
from server.facts.catalogue import FACTS, SEALED
from server.scoring.scorecard import NoScore
from server.store import log_queries, source_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.moment_queries import Moment, moment
from server.store.remembered import remembered
from server.store.sealer import NO_KEYS, sealer_of
from server.store.source_queries import RunRow, SourceRow, StreamRow
from shared.clock import WallMs
from shared.errors import ConfigError

SEEN_BY_SCANNERS = frozenset({"shipment", "shipment_event", "damage_report"})
DAY_S = 86_400
NEVER_MS = 253_402_300_799_000
"""End of the year 9999: a source that sends is not asked."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream with what is known of it."""

    stream: Stream
    row: StreamRow
    newest: RunRow | None

    def lag_ms(self, now_ms: WallMs) -> WallMs | None:
        """Since when it has not been read whole; None before the first time."""
        return None if self.row.last_ok_ms is None else now_ms - self.row.last_ok_ms

    def stale(self, now_ms: WallMs) -> bool:
        """Whether nothing may be scored by it: a figure of a source that is away is no figure, never 0 (KS-16)."""
        return _stale(self.stream, self.row.last_ok_ms, now_ms)


def _stale(stream: Stream, last_ok_ms: WallMs | None, now_ms: WallMs) -> bool:
    return last_ok_ms is None or now_ms - last_ok_ms > seconds(stream.stale_after) * 1000


Standing: TypeAlias = Literal[
    "disabled", "auth_failed", "down", "running", "failed", "rejected", "partial", "stale", "new", "ok"
]
"""How a source does, in one word; what needs a person most comes first."""
_OWN_STATES: tuple[Standing, ...] = ("auth_failed", "down")
_RUN_STATES: tuple[Standing, ...] = ("running", "failed", "rejected", "partial")


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source with its streams."""

    source: Source
    row: SourceRow
    streams: tuple[StreamState, ...]

    def standing(self, now_ms: WallMs) -> Standing:
        """How it does: by its own state, then by the worst of its streams' newest runs, then by their age.

        A source that sends by itself is stale too when it has not for ``stale_after``: nothing is scored by it.
        """
        if self.row.disabled:
            return "disabled"
        for known in _OWN_STATES:
            if self.row.state == known:
                return known
        newest = {stream.newest.state for stream in self.streams if stream.newest is not None}
        for known in _RUN_STATES:
            if known in newest:
                return known
        if not newest:
            return "new"
        return "stale" if any(stream.stale(now_ms) for stream in self.streams) else "ok"


async def put_source(db: Database, text: str, name: str, entry: Entry, *, disabled: bool = False) -> SourceRow:
    """Add the source of a file, or change it; ConfigError with every fault, and then nothing is changed.

    ``name`` is the file's, for messages; ``entry`` is for the operation log. A new one is read by itself unless
    ``disabled``.
    """
    source = read_source(text, name)
    async with db.writing() as connection:
        await _refuse_pay(connection, source)
        before = await source_queries.source(connection, source.source)
        row = SourceRow(source.source, text, 1, disabled=disabled, state="new", failures=0)
        if before is not None:
            same = read_source(before.file, name).streams == source.streams
            version = before.map_version + (not same)
            row = replace(before, file=text, map_version=version, state="new", failures=0)
        await source_queries.put_source(connection, row, entry.at_ms)
        await source_queries.put_streams(
            connection,
            source.source,
            {stream.id: stream.fact for stream in source.streams},
            next_ms=NEVER_MS if source.kind == "webhook" else 0,
        )
        detail = {"map_version": row.map_version}
        await log_queries.append(connection, replace(entry, object=source.source, detail=detail))
    return row


async def states(connection: AsyncConnection) -> list[SourceState]:
    """Sources with their streams, by id."""
    return await _states(connection, await source_queries.newest_runs(connection))


async def _states(connection: AsyncConnection, newest: dict[tuple[str, str], RunRow]) -> list[SourceState]:
    rows = await source_queries.sources(connection)
    streams: dict[str, list[StreamRow]] = {}
    for stream in await source_queries.streams_of(connection):
        streams.setdefault(stream.source, []).append(stream)
    return [_state(row, streams.get(row.id, []), newest) for row in rows]


async def unusable_facts(connection: AsyncConnection, now_ms: WallMs, at: Moment | None = None) -> dict[str, NoScore]:
    """Facts that nothing may be scored by: no source tells of them, or one that does is away.

    Parcels that scanners saw need no source, as long as no business system tells of parcels too. ``at`` was asked for
    in this transaction; without, it is asked for here.
    """
    at = at or await moment(connection)
    told: set[str] = set()
    late: set[str] = set()
    for source, disabled in await remembered(connection, at.log, _set_up):
        for stream in source.streams:
            known = (source.source, stream.id)
            if known in at.heard:
                told.add(stream.fact)
                if not disabled and _stale(stream, at.heard[known], now_ms):
                    late.add(stream.fact)
    if not told >= SEEN_BY_SCANNERS and at.parcels_seen:
        told |= SEEN_BY_SCANNERS
    return {
        fact: "source_late" if fact in late else "source_missing" for fact in FACTS if fact in late or fact not in told
    }


async def _set_up(connection: AsyncConnection) -> list[tuple[Source, bool]]:
    """Sources, and whether each is disabled."""
    return [(_read(row.file, row.id), row.disabled) for row in await source_queries.sources(connection)]


async def lookback_days(connection: AsyncConnection) -> dict[str, int]:
    """Days that rows of a fact may come late by: the longest ``lookback`` of the sources that are read."""
    found: dict[str, int] = {}
    for row in await source_queries.sources(connection):
        for stream in () if row.disabled else _read(row.file, row.id).streams:
            if stream.lookback is not None:
                found[stream.fact] = max(found.get(stream.fact, 0), -(-seconds(stream.lookback) // DAY_S))
    return found


async def load_source(connection: AsyncConnection, name: str) -> tuple[SourceRow, Source]:
    """A source that is set up; NotFoundError when there is none."""
    row = await _source(connection, name)
    return row, _read(row.file, name)


@lru_cache(maxsize=64)
def _read(text: str, name: str) -> Source:
    """Parsing a file takes longer than storing the rows of a small call."""
    return read_source(text, f"{name}.yaml")


def stream_named(source: Source, name: str) -> Stream:
    """A stream of a source; ConfigError names those there are."""
    for stream in source.streams:
        if stream.id == name:
            return stream
    raise ConfigError(f"{source.source} has no stream {name!r}; it has {', '.join(one.id for one in source.streams)}")


async def _refuse_pay(connection: AsyncConnection, source: Source) -> None:
    """What has to be kept encrypted is not read while nothing can encrypt it; raw pages would keep it too."""
    for stream in source.streams:
        sealed = sorted(set(SEALED.get(stream.fact, ())) & set(stream.map))
        if sealed and await sealer_of(connection) is None:
            raise ConfigError(f"stream {stream.id}, {', '.join(sealed)}: {NO_KEYS}; or take the fields out of the map")


def _state(row: SourceRow, streams: list[StreamRow], newest: dict[tuple[str, str], RunRow]) -> SourceState:
    source = _read(row.file, row.id)
    known = {stream.stream: stream for stream in streams}
    found = (StreamState(one, known[one.id], newest.get((row.id, one.id))) for one in source.streams if one.id in known)
    return SourceState(source, row, tuple(found))


async def _source(connection: AsyncConnection, name: str) -> SourceRow:
    row = await source_queries.source(connection, name)
    if row is None:
        raise NotFoundError(f"source {name}")
    return row
