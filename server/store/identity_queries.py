"""From rows of ``events`` to punches and scans that exist once: the reads and set-based writes of the identity step.

Ids are drawn before the insert, which only the identity step does: whoever holds its watermark row is alone.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Table, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import (
    employees,
    events,
    feed,
    followers,
    punches,
    scans,
    sites,
    sources,
    streams,
    terminal_users,
    terminals,
)
from server.store.upsert import insert_into
from shared.clock import WallMs
from shared.keys import BusinessKey

FOLLOWER = "identity"
_FEED_ROWS = 2_000
_VALUES = 1_000
"""Values of one IN list."""


class Span(NamedTuple):
    """A run of consecutive seqs of a stream, to be read."""

    stream_id: int
    first: int
    last: int
    at_min_ms: WallMs
    at_max_ms: WallMs


class StoredEvent(NamedTuple):
    """A row of ``events``."""

    stream_id: int
    seq: int
    received_ms: WallMs
    body: bytes


class LogEnd(NamedTuple):
    """The newest numbered punch of a terminal: its second by the terminal's clock, its record number."""

    second: int
    number: int


class Matched(NamedTuple):
    """Whose user number it is, and the zone of that employee's site."""

    employee: str
    zone: str


PunchValues: TypeAlias = tuple[
    int,
    str,
    str,
    int | None,
    int,
    int | None,
    int,
    int,
    int,
    str,
    int | None,
    int | None,
    int,
    int,
    str,
    str | None,
    int | None,
    str | None,
    int | None,
]
"""A row of ``punches`` in the order of its columns, ``raw_codes`` as JSON text."""
ScanValues: TypeAlias = tuple[int, str, str, str, int, int, str | None, int | None, int, int, str]
"""A row of ``scans`` in the order of its columns."""
SourceValues: TypeAlias = tuple[int, int, int | None, int | None, bool]
"""A row of ``sources``: stream_id, seq, punch, scan, repeat."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Feed rows to work on, up to ``feed_id``."""

    feed_id: int
    spans: list[Span]


async def has_news(connection: AsyncConnection) -> bool:
    """Whether the feed goes on behind the watermark."""
    done = select(followers.c.feed_id).where(followers.c.name == FOLLOWER).scalar_subquery()
    return await connection.scalar(select(feed.c.id).where(feed.c.id > func.coalesce(done, 0)).limit(1)) is not None


async def hold_watermark(connection: AsyncConnection) -> int:
    """The feed id up to which punches and scans exist; nobody else moves it, or adds any, until the transaction ends.

    Whoever changes the owner of a terminal user takes it too, before anything else: else a punch that is just being
    added keeps the owner of before.
    """
    row = select(followers.c.feed_id).where(followers.c.name == FOLLOWER).with_for_update()
    found = await connection.scalar(row)
    if found is None:
        await connection.execute(
            insert_into(connection, followers).values(name=FOLLOWER, feed_id=0).on_conflict_do_nothing()
        )
        found = await connection.scalar(row)
    return found or 0


async def move_watermark(connection: AsyncConnection, feed_id: int) -> None:
    """Note that everything up to this feed row is done."""
    await connection.execute(update(followers).where(followers.c.name == FOLLOWER).values(feed_id=feed_id))


async def next_portion(connection: AsyncConnection, after: int, most: int) -> Portion | None:
    """Feed rows behind ``after`` with about ``most`` events; None when there are none."""
    wanted = select(feed).where(feed.c.id > after).order_by(feed.c.id).limit(_FEED_ROWS)
    last, count, spans = after, 0, list[Span]()
    for row in await connection.execute(wanted):
        if spans and count + row.last - row.first + 1 > most:
            break
        last, count = row.id, count + row.last - row.first + 1
        spans.append(Span(row.stream_id, row.first, row.last, row.at_min_ms, row.at_max_ms))
    return Portion(last, _merged(spans)) if spans else None


def _merged(spans: list[Span]) -> list[Span]:
    """Runs that follow on each other as one, so that many single punches are one read."""
    merged: list[Span] = []
    for span in sorted(spans):
        before = merged[-1] if merged else None
        if before and before.stream_id == span.stream_id and before.last + 1 == span.first:
            at_min, at_max = min(before.at_min_ms, span.at_min_ms), max(before.at_max_ms, span.at_max_ms)
            merged[-1] = Span(span.stream_id, before.first, span.last, at_min, at_max)
        else:
            merged.append(span)
    return merged


async def stored_events(connection: AsyncConnection, spans: Iterable[Span]) -> list[StoredEvent]:
    """The events of these spans, in order of seq."""
    found: list[StoredEvent] = []
    for span in spans:
        rows = await connection.execute(
            select(events.c.stream_id, events.c.seq, events.c.received_ms, events.c.body)
            .where(
                events.c.stream_id == span.stream_id,
                events.c.seq.between(span.first, span.last),
                events.c.at_ms.between(span.at_min_ms, span.at_max_ms),  # only the partitions concerned
            )
            .order_by(events.c.seq)
        )
        found.extend(StoredEvent(*row) for row in rows)
    return found


async def stream_keys(connection: AsyncConnection, ids: Collection[int]) -> dict[int, tuple[str, bytes]]:
    """Gateway and stream by the id of the stream's row."""
    wanted = select(streams.c.id, streams.c.gateway, streams.c.stream).where(streams.c.id.in_(ids))
    return {row.id: (row.gateway, row.stream) for row in await connection.execute(wanted)}


_KNOWN_PUNCHES = {
    "postgresql": """
        SELECT p.id, p.terminal, p.user_code, p.at_device, p.key_seq
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS k (terminal, user_code, at_device, key_seq)
        JOIN punches p USING (terminal, user_code, at_device, key_seq)""",
    "sqlite": """
        SELECT p.id, p.terminal, p.user_code, p.at_device, p.key_seq
        FROM json_each(?) k JOIN punches p
        ON p.terminal = k.value->>0 AND p.user_code = k.value->>1 AND p.at_device = k.value->>2
        AND p.key_seq = k.value->>3""",
}
_KNOWN_SCANS = {
    "postgresql": """
        SELECT s.id, s.station, s.code, s.at_ms / 1000, s.native_seq
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS k (station, code, second, number)
        JOIN scans s ON s.station = k.station AND s.code = k.code AND s.native_seq = k.number
        AND s.at_ms BETWEEN k.second * 1000 AND k.second * 1000 + 999""",
    "sqlite": """
        SELECT s.id, s.station, s.code, s.at_ms / 1000, s.native_seq
        FROM json_each(?) k JOIN scans s
        ON s.station = k.value->>0 AND s.code = k.value->>1 AND s.native_seq = k.value->>3
        AND s.at_ms BETWEEN (k.value->>2) * 1000 AND (k.value->>2) * 1000 + 999""",
}


async def known_punches(connection: AsyncConnection, keys: Collection[BusinessKey]) -> dict[BusinessKey, int]:
    """Ids of those punches that are known by these keys."""
    return await _known(connection, _KNOWN_PUNCHES, keys)


async def known_scans(connection: AsyncConnection, keys: Collection[BusinessKey]) -> dict[BusinessKey, int]:
    """Ids of those numbered scans that are known by these keys."""
    return await _known(connection, _KNOWN_SCANS, keys)


async def _known(
    connection: AsyncConnection, statements: dict[str, str], keys: Collection[BusinessKey]
) -> dict[BusinessKey, int]:
    if not keys:
        return {}
    driver = await _driver(connection)
    statement = statements[connection.dialect.name]
    if connection.dialect.name == "sqlite":
        cursor = await driver.execute(statement, (json.dumps(list(keys)),))
        rows = await cursor.fetchall()
        await cursor.close()
    else:
        rows = await driver.fetch(statement, *(list(column) for column in zip(*keys, strict=True)))
    return {(row[1], row[2], row[3], row[4]): row[0] for row in rows}


async def draw_punch_ids(connection: AsyncConnection, count: int) -> list[int]:
    """Ids for new punches, ascending."""
    return await _draw(connection, punches, count)


async def draw_scan_ids(connection: AsyncConnection, count: int) -> list[int]:
    """Ids for new scans, ascending."""
    return await _draw(connection, scans, count)


async def _draw(connection: AsyncConnection, table: Table, count: int) -> list[int]:
    if not count:
        return []
    if connection.dialect.name == "sqlite":
        first = (await connection.scalar(select(func.max(table.c.id))) or 0) + 1
        return list(range(first, first + count))
    numbers = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
    return sorted(await connection.scalars(numbers, {"table": table.name, "count": count}))


async def add_punches(connection: AsyncConnection, rows: Sequence[PunchValues]) -> None:
    """Add punches under ids that were drawn for them."""
    await _bulk(connection, punches, rows)


async def add_scans(connection: AsyncConnection, rows: Sequence[ScanValues]) -> None:
    """Add scans under ids that were drawn for them."""
    await _bulk(connection, scans, rows)


async def add_sources(connection: AsyncConnection, rows: Sequence[SourceValues]) -> None:
    """Say which event each punch or scan came from."""
    await _bulk(connection, sources, rows)


async def matched_users(
    connection: AsyncConnection, users: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Matched]:
    """Employees by (terminal, user code); an unmatched user is left out."""
    found: dict[tuple[str, str], Matched] = {}
    serials, codes = sorted({user[0] for user in users}), sorted({user[1] for user in users})
    joined = (
        terminals.join(terminal_users, terminal_users.c.user_group == terminals.c.user_group)
        .join(employees, employees.c.id == terminal_users.c.employee)
        .join(sites, sites.c.id == employees.c.site)
    )
    columns = (terminals.c.serial, terminal_users.c.user_code, terminal_users.c.employee, sites.c.zone)
    for start in range(0, len(codes), _VALUES):
        wanted = (
            select(*columns).select_from(joined).where(terminal_users.c.user_code.in_(codes[start : start + _VALUES]))
        )
        for row in await connection.execute(wanted.where(terminals.c.serial.in_(serials))):
            found[row.serial, row.user_code] = Matched(row.employee, row.zone)
    return found


async def log_ends(connection: AsyncConnection, serials: Collection[str]) -> dict[str, LogEnd]:
    """Where the log of each of these terminals had got to; one that never numbered a punch is left out."""
    wanted = select(terminals.c.serial, terminals.c.log_seq, terminals.c.log_second)
    wanted = wanted.where(terminals.c.serial.in_(sorted(serials)), terminals.c.log_seq.is_not(None))
    return {row.serial: LogEnd(row.log_second, row.log_seq) for row in await connection.execute(wanted)}


async def put_log_ends(connection: AsyncConnection, ends: Mapping[str, LogEnd]) -> None:
    """Remember where these logs have got to."""
    for serial, end in sorted(ends.items()):
        values = {"log_seq": end.number, "log_second": end.second}
        await connection.execute(update(terminals).where(terminals.c.serial == serial).values(values))


async def note_last_events(connection: AsyncConnection, newest: dict[str, WallMs]) -> None:
    """Move the time of the last event of terminals forward, never back."""
    for serial, at_ms in sorted(newest.items()):
        older = or_(terminals.c.last_event_ms.is_(None), terminals.c.last_event_ms < at_ms)
        await connection.execute(
            update(terminals).where(terminals.c.serial == serial, older).values(last_event_ms=at_ms)
        )


async def _bulk(connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """All columns of all rows: COPY on PostgreSQL, one prepared statement on SQLite."""
    if not rows:
        return
    driver = await _driver(connection)
    columns = [column.name for column in table.c]
    if connection.dialect.name == "postgresql":
        await driver.copy_records_to_table(table.name, records=rows, columns=columns)
        return
    marks = ", ".join("?" * len(columns))
    await driver.executemany(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608


async def _driver(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection
