"""What can be saved of a damaged outbox, into a new one; the damaged files are kept (reliability.md section 4)."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from gateway.buffer import alarms, store
from gateway.buffer.connection import Connection, ConnectionFactory, Record, integers, number, tune
from gateway.buffer.forecast import oldest_unacked_ms
from gateway.buffer.home import CONTROL_PAGES, FILE, PARTS, Home
from gateway.buffer.last_known import LastKnown, sync_folder
from gateway.buffer.page_scan import scan
from gateway.buffer.schema import SEQ_BITS, SEQ_MASK, migrate, row_id
from gateway.buffer.short_key import short_key
from gateway.buffer.state import StreamBody
from shared.clock import ClockAnchor, WallMs, from_ms
from shared.errors import DataError
from shared.keys import digest
from shared.scan import Damaged
from shared.wire import STREAM_BYTES, decode_event, encode_event

log = structlog.get_logger("outbox")

BUILDING, READY = "salvage.tmp", "salvaged.db"
REREAD_MS = 48 * 3_600_000
CHUNK_ROWS = 1000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_T = TypeVar("_T")


def salvage(home: Home, known: LastKnown | None, reason: str) -> None:
    """Put a new database with the readable rows, under their old keys, in the place of the damaged one.

    Nothing is moved before the new file is whole, so that this can be interrupted and done again.
    """
    log.error("outbox is damaged", reason=reason)
    folder = home.folder
    _remove(folder, BUILDING)
    connection = home.connect(folder / BUILDING)
    try:
        tune(connection, home.quota_pages + CONTROL_PAGES)
        migrate(connection)
        _fill(connection, home, known, reason)
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    finally:
        connection.close()
    (folder / BUILDING).rename(folder / READY)
    sync_folder(folder)
    finish_interrupted(home)


def finish_interrupted(home: Home) -> None:
    """Move a salvaged database into place, if there is one; the damaged files go to ``corrupt-<time>``."""
    folder = home.folder
    if not (folder / READY).exists():
        return
    kept = folder / f"corrupt-{from_ms(home.clocks.wall_ms()):%Y%m%dT%H%M%S.%fZ}"
    kept.mkdir(mode=0o700, exist_ok=True)
    for part in PARTS:
        with suppress(FileNotFoundError):
            (folder / f"{FILE}{part}").rename(kept / f"{FILE}{part}")
    sync_folder(kept)
    (folder / READY).rename(folder / FILE)
    sync_folder(folder)


def _fill(connection: Connection, home: Home, known: LastKnown | None, reason: str) -> None:
    wall_ms, age_ms = home.clocks.wall_ms(), known.age_ms if known else 0
    damaged = _open_damaged(home.folder, home.connect)
    try:
        said_age = _numbers(damaged, "select value from meta where name = 'age_ms'")
        age_ms = max(age_ms, said_age[0][0] if said_age else 0)
        _copy_rows(connection, scan(home.file, home.wal), age_ms // DAY_MS, known)
        _name_streams(connection, known, wall_ms)
        acked = _numbers(damaged, "select stream, first, last from acked")
    finally:
        _close_damaged(home.folder, damaged)
    if acked is None:
        acked = [(stream.number, *interval) for stream in (known.streams if known else []) for interval in stream.acked]
    _copy_acked(connection, acked, age_ms // HOUR_MS)
    lost = _fill_holes(connection, wall_ms)
    state = store.load(connection)
    times = [oldest_unacked_ms(connection, state), known.oldest_unacked_ms if known else None]
    oldest = min([at for at in times if at is not None], default=known.wall_ms if known else REREAD_MS)
    store.write_meta(connection, "age_ms", age_ms)
    store.write_meta(connection, "reread_from_ms", oldest - REREAD_MS)
    detail = f"{reason}; {state.rows} rows saved, {lost} of them without content"
    alarms.raise_alarm(connection, "salvaged", detail, wall_ms, age_ms)
    log.error("outbox salvaged", detail=detail)


def _open_damaged(folder: Path, connect: ConnectionFactory) -> Connection | None:
    """The damaged file under a second name, so that opening it changes nothing; None when it can not be opened."""
    _remove(folder, "salvage-source.db")
    try:
        for part in ("", "-wal"):
            with suppress(FileNotFoundError):
                os.link(folder / f"{FILE}{part}", folder / f"salvage-source.db{part}")
        return connect(folder / "salvage-source.db", readonly=True)
    except (OSError, sqlite3.Error):
        return None


def _close_damaged(folder: Path, damaged: Connection | None) -> None:
    if damaged is not None:
        with suppress(sqlite3.Error):
            damaged.close()
    _remove(folder, "salvage-source.db")


def _numbers(damaged: Connection | None, sql: str) -> list[tuple[int, ...]] | None:
    """What the damaged file still says; None when it can not say it."""
    if damaged is None:
        return None
    try:
        return integers(damaged, sql)
    except sqlite3.Error:
        return None


def _copy_rows(connection: Connection, found: Iterable[tuple[int, bytes]], day: int, known: LastKnown | None) -> None:
    """Streams and rows, and the business keys of these.

    No other key is taken over: it might be that of a lost row, and then what terminals are read again for would be
    turned away as a repeat. A key that is missing costs a repeat, which the server recognises.
    """
    floor = {stream.number: stream.first for stream in known.streams} if known else {}
    newest = known.next_number if known else 0
    for part in _chunks(found):
        streams = [(n, body, digest(body)) for n, body in part if n <= SEQ_MASK]
        # What lay in deleted pages comes up again: a stream that had been deleted, rows below the first.
        rows = [
            (place, body, digest(body))
            for place, body in part
            if place > SEQ_MASK
            and (place & SEQ_MASK) >= floor.get(place >> SEQ_BITS, 1)
            and (place >> SEQ_BITS in floor or place >> SEQ_BITS >= newest)
        ]
        _insert(connection, "insert or ignore into streams (id, body, digest) values (?, ?, ?)", streams)
        _insert(connection, "insert or ignore into rows (id, body, digest) values (?, ?, ?)", rows)
        keys = [(key, day) for _, body, _ in rows if (key := _key(body))]
        _insert(connection, "insert or ignore into keys (key, day) values (?, ?)", keys)


def _name_streams(connection: Connection, known: LastKnown | None, wall_ms: WallMs) -> None:
    """Give every row's stream its id: its own, the one that was written down, else a new one."""
    for stream in known.streams if known else []:
        _insert_stream(connection, stream.number, StreamBody(stream.stream, stream.anchor))
    place = 0
    while place := number(connection, "select min(id) from rows where id >= ?", (place,)):
        unknown = StreamBody(os.urandom(STREAM_BYTES), ClockAnchor(0, wall_ms))
        _insert_stream(connection, place >> SEQ_BITS, unknown)
        place = row_id((place >> SEQ_BITS) + 1, 0)
    connection.execute("delete from streams where not exists (select 1 from rows where rows.id >> 40 = streams.id)")


def _insert_stream(connection: Connection, stream_number: int, said: StreamBody) -> None:
    body = msgspec.msgpack.encode(said)
    sql = "insert or ignore into streams (id, body, digest) values (?, ?, ?)"
    connection.execute(sql, (stream_number, body, digest(body)))


def _copy_acked(connection: Connection, acked: Sequence[tuple[int, ...]], hour: int) -> None:
    state = store.load(connection)
    for stream_number, first, last in acked:
        info = state.streams.get(stream_number)
        if info is not None:
            state = store.mark_acked(connection, state, info.stream, [(first, last)], hour)


def _fill_holes(connection: Connection, wall_ms: WallMs) -> int:
    """Put a row that says ``lost`` under every seq whose row could not be saved; how many."""
    lost = 0
    for info in store.load(connection).streams.values():
        if store.count(connection, info) == info.rows:
            continue
        place = row_id(info.number, info.first)
        last = row_id(info.number, info.last)
        body = encode_event(Damaged("", "lost", b"", wall_ms))
        while place < last:
            here = number(connection, "select min(id) from rows where id >= ?", (place,))
            holes = [(hole, body, digest(body)) for hole in range(place, here)]
            _insert(connection, "insert into rows (id, body, digest) values (?, ?, ?)", holes)
            lost += len(holes)
            place = _end_of_run(connection, here, last) + 1
    return lost


def _end_of_run(connection: Connection, place: int, last: int) -> int:
    """Id of the last row that follows ``place`` without a hole, by bisection."""
    low, high = place, last
    while low < high:
        middle = (low + high + 1) // 2
        if number(connection, "select count(*) from rows where id between ? and ?", (low, middle)) == middle - low + 1:
            low = middle
        else:
            high = middle - 1
    return low


def _key(body: bytes) -> bytes | None:
    try:
        return short_key(decode_event(body))
    except DataError:
        return None


def _insert(connection: Connection, sql: str, records: Sequence[Record]) -> None:
    connection.execute("begin immediate")
    for record in records:
        connection.execute(sql, record)
    connection.execute("commit")


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    source = iter(items)
    while part := list(islice(source, CHUNK_ROWS)):
        yield part


def _remove(folder: Path, name: str) -> None:
    for part in PARTS:
        (folder / f"{name}{part}").unlink(missing_ok=True)
