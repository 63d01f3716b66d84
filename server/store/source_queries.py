"""Sources, how far their streams have been read, their runs, and the raw pages that are kept for a while."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
import zstandard
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.source_tables import data_sources, identity_links, raw_pages, source_streams, sync_runs
from server.store.upsert import insert_into
from shared.clock import WallMs

OnBody: TypeAlias = Callable[[int, bytes], bytes]
"""By the number of a page and its body: the body sealed, or opened."""
_OWN_KINDS = ("replay", "review")
"""Runs in which a source takes no part: they say nothing about how it does."""
_OUTCOME = ("ended_ms", "state", "pages", "added", "changed", "unchanged", "waiting", "deleted", "error", "detail")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source as it is stored."""

    id: str
    file: str
    map_version: int
    disabled: bool
    state: str
    failures: int


@dataclass(frozen=True, slots=True)
class StreamRow:
    """How far a stream has been read."""

    source: str
    stream: str
    fact: str
    cursor: Mapping[str, Any] | None
    watermark_ms: WallMs | None
    last_ok_ms: WallMs | None
    next_ms: WallMs
    compared_ms: WallMs | None
    asked: Mapping[str, Any] | None
    """What a person wants done with it now."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run and what became of its rows."""

    id: int
    source: str
    stream: str
    kind: str
    map_version: int
    state: str
    actor: str
    started_ms: WallMs
    ended_ms: WallMs | None
    pages: int
    added: int
    changed: int
    unchanged: int
    waiting: int
    deleted: int
    error: str | None
    detail: Mapping[str, Any]


async def sources(connection: AsyncConnection) -> list[SourceRow]:
    """Every source, by id."""
    columns = [data_sources.c[name] for name in SourceRow.__slots__]
    return [SourceRow(*row) for row in await connection.execute(select(*columns).order_by(data_sources.c.id))]


async def source(connection: AsyncConnection, name: str) -> SourceRow | None:
    """One source."""
    columns = [data_sources.c[column] for column in SourceRow.__slots__]
    row = (await connection.execute(select(*columns).where(data_sources.c.id == name))).first()
    return None if row is None else SourceRow(*row)


async def hold(connection: AsyncConnection, name: str) -> None:
    """Nobody else stores rows of the source, or links its people, until this transaction ends.

    SQLite has one writer anyway.
    """
    if connection.dialect.name != "sqlite":
        await connection.execute(select(data_sources.c.id).where(data_sources.c.id == name).with_for_update())


async def put_source(connection: AsyncConnection, row: SourceRow, at_ms: WallMs) -> None:
    """Add a source, or change its file; a change gives it a new chance."""
    values = {name: getattr(row, name) for name in SourceRow.__slots__}
    statement = insert_into(connection, data_sources).values(**values, created_ms=at_ms, changed_ms=at_ms)
    changed = {name: statement.excluded[name] for name in (*SourceRow.__slots__[1:], "changed_ms")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


async def set_state(connection: AsyncConnection, name: str, state: str, failures: int) -> None:
    """How a source does."""
    await connection.execute(
        update(data_sources).where(data_sources.c.id == name).values(state=state, failures=failures)
    )


async def take_lease(connection: AsyncConnection, name: str, holder: str, now_ms: WallMs, until_ms: WallMs) -> bool:
    """Whether this holder may run the source until then; a lease that ended is anybody's."""
    free = or_(data_sources.c.lease.is_(None), data_sources.c.lease == holder, data_sources.c.lease_until_ms < now_ms)
    which = update(data_sources).where(data_sources.c.id == name, free)
    found = await connection.execute(which.values(lease=holder, lease_until_ms=until_ms))
    return found.rowcount == 1


async def give_lease_back(connection: AsyncConnection, name: str, holder: str) -> None:
    """The source may be run by anybody."""
    which = update(data_sources).where(data_sources.c.id == name, data_sources.c.lease == holder)
    await connection.execute(which.values(lease=None, lease_until_ms=None))


async def streams_of(connection: AsyncConnection, names: Sequence[str] | None = None) -> list[StreamRow]:
    """Streams of these sources, or of all, by source and stream."""
    columns = [source_streams.c[name] for name in StreamRow.__slots__]
    which = select(*columns).order_by(source_streams.c.source, source_streams.c.stream)
    if names is not None:
        which = which.where(source_streams.c.source.in_(list(names)))
    return [StreamRow(*row) for row in await connection.execute(which)]


async def put_streams(connection: AsyncConnection, name: str, wanted: Mapping[str, str], *, next_ms: WallMs) -> None:
    """These are a source's streams, with their facts; what is known of those that stay is kept.

    ``next_ms`` is when new ones are due.
    """
    gone = delete(source_streams).where(source_streams.c.source == name, source_streams.c.stream.not_in(list(wanted)))
    await connection.execute(gone)
    for stream, fact in wanted.items():
        values = {"source": name, "stream": stream, "fact": fact, "next_ms": next_ms}
        await connection.execute(insert_into(connection, source_streams).values(values).on_conflict_do_nothing())


async def set_stream(connection: AsyncConnection, name: str, stream: str, **values: Any) -> None:
    """Change what is known of a stream."""
    which = update(source_streams).where(source_streams.c.source == name, source_streams.c.stream == stream)
    await connection.execute(which.values(values))


async def begin_run(connection: AsyncConnection, started: Mapping[str, Any]) -> int:
    """A new run; its number."""
    empty = dict.fromkeys(("pages", "added", "changed", "unchanged", "waiting", "deleted"), 0)
    statement = insert(sync_runs).values({**empty, "state": "running", "detail": {}, **started})
    return int((await connection.execute(statement.returning(sync_runs.c.id))).scalar_one())


async def set_run(connection: AsyncConnection, run: int, outcome: Mapping[str, Any]) -> None:
    """What has become of a run."""
    assert set(outcome) <= set(_OUTCOME)  # noqa: S101  (a name that is none is our own mistake)
    await connection.execute(update(sync_runs).where(sync_runs.c.id == run).values(dict(outcome)))


async def runs(
    connection: AsyncConnection, name: str | None = None, stream: str | None = None, *, limit: int = 50, offset: int = 0
) -> tuple[int, list[RunRow]]:
    """How many runs there are, of one source or stream or of all, and a page of them, newest first."""
    columns = [sync_runs.c[column] for column in RunRow.__slots__]
    named = ((sync_runs.c.source, name), (sync_runs.c.stream, stream))
    wanted = [column == value for column, value in named if value is not None]
    total = await connection.scalar(select(func.count()).select_from(sync_runs).where(*wanted))
    which = select(*columns).where(*wanted).order_by(sync_runs.c.id.desc()).limit(limit).offset(offset)
    return total or 0, [RunRow(*row) for row in await connection.execute(which)]


async def newest_runs(connection: AsyncConnection) -> dict[tuple[str, str], RunRow]:
    """The newest run of each stream in which its source took part."""
    own = sync_runs.c.kind.not_in(_OWN_KINDS)
    newest = select(func.max(sync_runs.c.id)).where(own).group_by(sync_runs.c.source, sync_runs.c.stream)
    columns = [sync_runs.c[column] for column in RunRow.__slots__]
    rows = await connection.execute(select(*columns).where(sync_runs.c.id.in_(newest)))
    return {(row.source, row.stream): RunRow(*row) for row in rows}


async def last_runs(connection: AsyncConnection, names: Sequence[str], each: int) -> dict[str, list[RunRow]]:
    """So many runs of each of these sources in which it took part, oldest first."""
    columns = [sync_runs.c[column] for column in RunRow.__slots__]
    place = func.row_number().over(partition_by=sync_runs.c.source, order_by=sync_runs.c.id.desc()).label("place")
    which = select(*columns, place).where(sync_runs.c.source.in_(list(names)), sync_runs.c.kind.not_in(_OWN_KINDS))
    numbered = which.subquery()
    wanted = select(*(numbered.c[column] for column in RunRow.__slots__)).where(numbered.c.place <= each)
    found: dict[str, list[RunRow]] = {}
    for row in await connection.execute(wanted.order_by(numbered.c.id)):
        found.setdefault(row.source, []).append(RunRow(*row))
    return found


async def close_broken_runs(connection: AsyncConnection, name: str, at_ms: WallMs) -> None:
    """Runs of a source that nobody runs any more: their process ended in between."""
    which = update(sync_runs).where(
        sync_runs.c.source == name, sync_runs.c.state == "running", sync_runs.c.kind.in_(("pull", "compare"))
    )
    await connection.execute(which.values(state="failed", error="interrupted", ended_ms=at_ms))


async def keep_page(
    connection: AsyncConnection,
    *,
    run: int,
    name: str,
    stream: str,
    at_ms: WallMs,
    rows: Sequence[Any],
    seal: OnBody | None = None,
) -> None:
    """Keep raw rows, to be mapped again when the map changes; encrypted where that is asked for."""
    packed = zstandard.compress(msgspec.json.encode(rows), 3)
    body = b"" if seal else packed  # sealed for its number, which the database gives
    values = {"run": run, "source": name, "stream": stream, "at_ms": at_ms, "rows": len(rows), "body": body}
    number = (await connection.execute(insert(raw_pages).values(values).returning(raw_pages.c.id))).scalar_one()
    if seal:
        await connection.execute(update(raw_pages).where(raw_pages.c.id == number).values(body=seal(number, packed)))


async def kept_page(
    connection: AsyncConnection, name: str, stream: str, after: int, unseal: OnBody | None = None
) -> tuple[int, list[Any]] | None:
    """The next raw page of a stream after that number, with its own; None after the last."""
    which = select(raw_pages.c.id, raw_pages.c.body).where(
        raw_pages.c.source == name, raw_pages.c.stream == stream, raw_pages.c.id > after
    )
    row = (await connection.execute(which.order_by(raw_pages.c.id).limit(1))).first()
    return None if row is None else (row.id, _rows_of(row.body if unseal is None else unseal(row.id, row.body)))


def _rows_of(packed: bytes) -> list[Any]:
    rows: list[Any] = msgspec.json.decode(zstandard.decompress(packed))
    return rows


async def count_pages(connection: AsyncConnection, name: str, stream: str) -> int:
    """How many raw pages of a stream are kept."""
    which = select(func.count()).select_from(raw_pages)
    return await connection.scalar(which.where(raw_pages.c.source == name, raw_pages.c.stream == stream)) or 0


async def forget_pages(connection: AsyncConnection, before_ms: WallMs) -> None:
    """Let go of raw pages older than that."""
    await connection.execute(delete(raw_pages).where(raw_pages.c.at_ms < before_ms))


async def people_keys(connection: AsyncConnection, name: str) -> list[str]:
    """Ids of linked people in a source: for sources that are asked person by person."""
    which = select(identity_links.c.employee_key).where(identity_links.c.source == name).distinct()
    return list(await connection.scalars(which.order_by(identity_links.c.employee_key)))
