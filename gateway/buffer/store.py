"""The statements on one connection. Each changes the database and returns the state that holds once it is committed.

Rows go in with few, long statements: sqlite3 lets go of the interpreter lock at every step and may wait 5 ms to get it
back, which made 1,500 rows/s of 100,000 beside a busy thread (measured).
"""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from gateway.buffer.connection import Connection, Value, integers, number
from gateway.buffer.schema import SEQ_BITS, SEQ_MASK, row_id
from gateway.buffer.state import State, StreamBody, StreamInfo
from gateway.driver import Cursor
from shared.clock import ClockAnchor
from shared.keys import digest
from shared.ranges import Ranges, difference, intersection
from shared.ranges import ranges as normal
from shared.wire import STREAM_BYTES

REFRESH_DAYS = 30
"""How late the day may be on which a key was seen last: reading a whole log again must not write all its keys."""
_CHUNKS = (1000, 500, 250, 100, 50, 25, 10, 5, 2, 1)
"""Rows of a statement; round numbers, as drivers put them."""
_streams = msgspec.msgpack.Decoder(StreamBody)


class NewRow(NamedTuple):
    """An event as it will be stored; ``key`` is its short business key."""

    key: bytes | None
    body: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it is sent."""

    seq: int
    body: bytes


def load(connection: Connection) -> State:
    """State of the streams in the file; all of them are closed."""
    streams: dict[int, StreamInfo] = {}
    acked = _load_acked(connection)
    for (stream_number,) in integers(connection, "select id from streams order by id"):
        said = _read_stream(connection, stream_number)
        low, high = row_id(stream_number, 0), row_id(stream_number, SEQ_MASK)
        between = "from rows where id between ? and ?"
        first = number(connection, f"select min(id) {between}", (low, high)) & SEQ_MASK
        last = number(connection, f"select max(id) {between}", (low, high)) & SEQ_MASK
        if last:
            ranges = acked.get(stream_number, [])
            streams[stream_number] = StreamInfo(stream_number, said.stream, said.anchor, first, last, ranges)
    newest = connection.execute("select digest from rows order by id desc limit 1").fetchall()
    return State(
        streams,
        next_number=max(number(connection, "select max(id) from streams"), _newest_number(connection)) + 1,
        newest_digest=newest[0][0] if newest and isinstance(newest[0][0], bytes) else None,
    )


def count(connection: Connection, info: StreamInfo | None = None) -> int:
    """Rows of a stream, or of all, that are really there."""
    if info is None:
        return number(connection, "select count(*) from rows")
    ends = (row_id(info.number, info.first), row_id(info.number, info.last))
    return number(connection, "select count(*) from rows where id between ? and ?", ends)


def begin_stream(connection: Connection, state: State, anchor: ClockAnchor) -> State:
    """A new open stream under a random id."""
    info = StreamInfo(state.next_number, secrets.token_bytes(STREAM_BYTES), anchor, 1, 0)
    write_stream(connection, info)
    return replace(state.with_stream(info), open=info.number, next_number=info.number + 1)


def write_stream(connection: Connection, info: StreamInfo) -> None:
    """Write down a stream, or its new anchor."""
    body = msgspec.msgpack.encode(StreamBody(info.stream, info.anchor))
    sql = (
        "insert into streams (id, body, digest) values (?, ?, ?)"
        " on conflict (id) do update set body = excluded.body, digest = excluded.digest"
    )
    connection.execute(sql, (info.number, body, digest(body)))


def set_anchor(connection: Connection, state: State, anchor: ClockAnchor) -> State:
    """Tie the open stream to a newer reading of the clocks; nothing while none is open."""
    if state.open is None:
        return state
    info = replace(state.streams[state.open], anchor=anchor)
    write_stream(connection, info)
    return state.with_stream(info)


def append(connection: Connection, state: State, rows: Sequence[NewRow]) -> State:
    """Give the rows the next seqs of the open stream."""
    if not rows or state.open is None:
        return state
    info = state.streams[state.open]
    start = row_id(info.number, info.last + 1)
    values: list[Value] = []
    for place, row in enumerate(rows, start):
        values += (place, row.body, row.digest)
    for sql, part in _bulk("insert into rows (id, body, digest)", 3, values):
        connection.execute(sql, part)
    grown = replace(info, last=info.last + len(rows))
    return replace(state.with_stream(grown), newest_digest=rows[-1].digest)


def remember_keys(connection: Connection, keys: Sequence[bytes], day: int) -> set[bytes]:
    """Those of ``keys`` that were known before; the others are known from now on.

    A known key counts as seen on ``day`` again, to within REFRESH_DAYS.
    """
    if not keys:
        return set()
    connection.execute("savepoint new_keys")
    if _insert_keys(connection, keys, day) == len(keys):
        connection.execute("release new_keys")
        return set()
    connection.execute("rollback to new_keys")
    connection.execute("release new_keys")
    known: set[bytes] = set()
    for part in _parts(sorted(set(keys))):
        among = f"key in ({', '.join('?' * len(part))})"
        find = "select group_concat(hex(key), '') from keys where " + among  # noqa: S608  (question marks)
        text = connection.execute(find, part).fetchall()[0][0]
        known.update(_split(bytes.fromhex(text)) if isinstance(text, str) else ())
        refresh = "update keys set day = ? where day < ? and " + among  # noqa: S608  (the same)
        connection.execute(refresh, (day, day - REFRESH_DAYS, *part))
    _insert_keys(connection, sorted(set(keys) - known), day)
    return known


def write_cursors(connection: Connection, cursors: Sequence[Cursor]) -> None:
    """Move these cursors; the last word on one key counts."""
    sql = "insert into cursors (key, value) values (?, ?) on conflict (key) do update set value = excluded.value"
    for cursor in {cursor.key: cursor for cursor in cursors}.values():
        connection.execute(sql, (cursor.key, cursor.value))


def read_cursor(connection: Connection, key: str) -> bytes | None:
    """Where a driver has got to."""
    records = connection.execute("select value from cursors where key = ?", (key,)).fetchall()
    value = records[0][0] if records else None
    return value if isinstance(value, bytes) else None


def mark_acked(connection: Connection, state: State, stream: bytes, ranges: Ranges, hour: int) -> State:
    """Take the server's word that it has these seqs; what is not held is left out."""
    info = state.find(stream)
    new = difference(_held(info, ranges), info.acked) if info else []
    if info is None or not new:
        return state
    for first, last in new:
        _join_acked(connection, info.number, first, last, hour)
    return state.with_stream(info.ack(new))


def mark_unsent(connection: Connection, state: State, stream: bytes, ranges: Ranges) -> State:
    """Take rows back to unsent: a restored server does not have them any more."""
    info = state.find(stream)
    if info is None:
        return state
    gone = _held(info, ranges)
    sql = "select first, last, hour from acked where stream = ? and first <= ? and last >= ?"
    for low, high in gone:
        for first, last, hour in integers(connection, sql, (info.number, high, low)):
            connection.execute("delete from acked where stream = ? and first = ?", (info.number, first))
            for part in difference([(first, last)], [(low, high)]):
                connection.execute("insert into acked values (?, ?, ?, ?)", (info.number, *part, hour))
    return state.with_stream(replace(info, acked=difference(info.acked, gone)))


def delete_acked(connection: Connection, state: State, before_hour: int, limit: int) -> State:
    """Delete up to ``limit`` acked rows at the front of the oldest stream that has some confirmed before that hour.

    Only from the front, so that a stream never gets a hole. The same state means that there is nothing to delete.
    """
    for info in state.streams.values():
        upto = min(_acked_before(connection, info, before_hour), info.first + limit - 1)
        if upto < info.first:
            continue
        ends = (row_id(info.number, info.first), row_id(info.number, upto))
        connection.execute("delete from rows where id between ? and ?", ends)
        left = replace(info, first=upto + 1, acked=difference(info.acked, [(1, upto)]))
        if not left.rows and info.number != state.open:
            connection.execute("delete from streams where id = ?", (info.number,))
            return state.without(info.number)
        _cut_acked(connection, info.number, upto)
        return state.with_stream(left)
    return state


def read_rows(connection: Connection, stream_number: int, first: int, last: int) -> list[tuple[int, bytes, bytes]]:
    """(seq, body, digest) of the rows from ``first`` to ``last``, ascending, as they are in the file.

    The values travel in one text: a statement of 500 steps would wait for the interpreter lock 500 times.
    """
    sql = (
        "select group_concat(id || ' ' || hex(body) || ' ' || hex(digest), ',')"
        " from (select id, body, digest from rows where id between ? and ? order by id)"
    )
    ends = (row_id(stream_number, first), row_id(stream_number, last))
    text = connection.execute(sql, ends).fetchall()[0][0]
    if not isinstance(text, str):
        return []
    records: list[tuple[int, bytes, bytes]] = []
    for item in text.split(","):
        place, body, said = item.split(" ")
        records.append((int(place) & SEQ_MASK, bytes.fromhex(body), bytes.fromhex(said)))
    return records


def replace_row(connection: Connection, stream_number: int, seq: int, body: bytes) -> None:
    """Put another body under a seq, which may be missing."""
    sql = "insert or replace into rows (id, body, digest) values (?, ?, ?)"
    connection.execute(sql, (row_id(stream_number, seq), body, digest(body)))


def forget_keys(connection: Connection, after: bytes, before_day: int, limit: int) -> bytes | None:
    """Look at the next ``limit`` keys and delete those not seen since that day; where to go on, None at the end."""
    sql = "select max(key) from (select key from keys where key > ? order by key limit ?)"
    last = connection.execute(sql, (after, limit)).fetchall()[0][0]
    if not isinstance(last, bytes):
        return None
    connection.execute("delete from keys where key > ? and key <= ? and day < ?", (after, last, before_day))
    return last


def read_meta(connection: Connection, name: str) -> int:
    """A number that outlives the process; 0 when it was never written."""
    return number(connection, "select value from meta where name = ?", (name,))


def write_meta(connection: Connection, name: str, value: int) -> None:
    """Keep a number beyond the end of the process."""
    sql = "insert into meta (name, value) values (?, ?) on conflict (name) do update set value = excluded.value"
    connection.execute(sql, (name, value))


def _read_stream(connection: Connection, stream_number: int) -> StreamBody:
    body, said = connection.execute("select body, digest from streams where id = ?", (stream_number,)).fetchall()[0]
    try:
        if isinstance(body, bytes) and digest(body) == said:
            return _streams.decode(body)
    except msgspec.DecodeError as error:
        raise sqlite3.DatabaseError(f"stream {stream_number} does not decode: {error}") from error
    raise sqlite3.DatabaseError(f"stream {stream_number} is not what was stored")


def _held(info: StreamInfo, ranges: Ranges) -> Ranges:
    return intersection(normal(ranges), [(info.first, info.last)]) if info.rows else []


def _load_acked(connection: Connection) -> dict[int, Ranges]:
    found: dict[int, Ranges] = {}
    for stream_number, first, last in integers(connection, "select stream, first, last from acked"):
        found.setdefault(stream_number, []).append((first, last))
    return {stream_number: normal(ranges) for stream_number, ranges in found.items()}


def _newest_number(connection: Connection) -> int:
    return number(connection, "select max(id) from rows") >> SEQ_BITS


def _insert_keys(connection: Connection, keys: Sequence[bytes], day: int) -> int:
    """How many of the keys were not there."""
    values: list[Value] = []
    for key in keys:
        values += (key, day)
    before = number(connection, "select total_changes()")
    for sql, part in _bulk("insert or ignore into keys (key, day)", 2, values):
        connection.execute(sql, part)
    return number(connection, "select total_changes()") - before


def _join_acked(connection: Connection, stream_number: int, first: int, last: int, hour: int) -> None:
    """Add an interval, to the one before it when that was confirmed in the same hour."""
    sql = "update acked set last = ? where stream = ? and last = ? and hour = ?"
    connection.execute(sql, (last, stream_number, first - 1, hour))
    if not number(connection, "select changes()"):
        connection.execute("insert into acked values (?, ?, ?, ?)", (stream_number, first, last, hour))


def _acked_before(connection: Connection, info: StreamInfo, before_hour: int) -> int:
    """The highest seq such that all rows up to it were confirmed before that hour."""
    sql = "select first, last, hour from acked where stream = ? and last >= ? order by first"
    upto = info.first - 1
    for first, last, hour in integers(connection, sql, (info.number, info.first)):
        if first > upto + 1 or hour >= before_hour:
            break
        upto = last
    return min(upto, info.last)


def _cut_acked(connection: Connection, stream_number: int, upto: int) -> None:
    sql = "select first, last, hour from acked where stream = ? and first <= ?"
    for first, last, hour in integers(connection, sql, (stream_number, upto)):
        connection.execute("delete from acked where stream = ? and first = ?", (stream_number, first))
        if last > upto:
            connection.execute("insert into acked values (?, ?, ?, ?)", (stream_number, upto + 1, last, hour))


def _bulk(head: str, width: int, values: Sequence[Value]) -> Iterator[tuple[str, Sequence[Value]]]:
    """Statements that insert all values, of few different lengths so that they stay prepared."""
    at = 0
    for rows in _CHUNKS:
        while len(values) - at >= rows * width:
            record = f"({', '.join('?' * width)})"
            yield f"{head} values {', '.join([record] * rows)}", values[at : at + rows * width]
            at += rows * width


def _parts(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    at = 0
    for length in _CHUNKS:
        while len(keys) - at >= length:
            yield keys[at : at + length]
            at += length


def _split(joined: bytes) -> Iterator[bytes]:
    for at in range(0, len(joined), 16):
        yield joined[at : at + 16]
