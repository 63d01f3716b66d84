"""The outbox as drivers and the session see it."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from gateway.buffer import store
from gateway.buffer.connection import Connection, ConnectionFactory, connect_sqlite
from gateway.buffer.disk import DELETE_EARLY_PCT, FULL_PCT, LOGS_WAIT_PCT, WARN_PCT, free_bytes
from gateway.buffer.home import Home
from gateway.buffer.opening import is_damage, open_checked, take_folder
from gateway.buffer.short_key import short_key
from gateway.buffer.state import State
from gateway.buffer.store import NewRow, Row
from gateway.buffer.writer import Writer
from gateway.config import BufferConfig
from gateway.driver import Cursor, Stored
from shared.clock import ClockAnchor, Clocks, WallMs
from shared.errors import RetryableError
from shared.keys import Event, digest
from shared.punch import Punch
from shared.ranges import Ranges
from shared.scan import DAMAGED_RAW_LIMIT, Damaged, Scan
from shared.wire import MAX_EVENTS, MAX_MESSAGE, encode_event

__all__ = ["Outbox", "OutboxStats", "Row", "StreamRows"]

log = structlog.get_logger("outbox")
_T = TypeVar("_T")

SWITCH_S = 0.0005
"""How long a busy thread keeps the interpreter lock: with Python's 5 ms every statement of the writer waits for it."""
CLOSE_S = 9.0
BODY_LIMIT = 64 * 1024
"""Bytes of an event; a longer one is damaged."""
RUN_BYTES = MAX_MESSAGE - 1024
"""Bytes of a run of rows, before compression, so that one message holds it."""
ROW_BYTES = 5
"""What MessagePack adds to a row at most."""
LEVEL_ALARMS = {
    WARN_PCT: "buffer_70",
    DELETE_EARLY_PCT: "buffer_85",
    LOGS_WAIT_PCT: "buffer_95",
    FULL_PCT: "buffer_full",
}


@dataclass(frozen=True, slots=True)
class StreamRows:
    """What is held of one stream: rows ``first`` to ``last``, without a hole."""

    stream: bytes
    first: int
    last: int
    acked: Ranges
    """Nothing below ``first``."""
    open: bool
    anchor: ClockAnchor


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """State of the outbox for health and for people."""

    backlog: int
    """Rows that the server has not confirmed."""
    oldest_unacked_ms: WallMs | None
    """When the gateway took the oldest of them; up to a second late."""
    rows: int
    quota_used_pct: int
    free_bytes: int
    """Of the filesystem."""
    refused: int
    """Events refused since start because nothing could be stored."""
    hours_left: float | None
    """Until it is full at the current rate; None while nothing comes in."""
    alarms: tuple[str, ...]


class Outbox:
    """Every event this gateway has taken; made by ``open``. Implements ``gateway.driver.Sink``."""

    def __init__(self, home: Home, lock: int, writer: Writer) -> None:
        self._home, self._lock, self._writer = home, lock, writer
        self._reader: Connection | None = None
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="outbox-reader")
        self._reader_generation = 0
        self._closed = False

    @classmethod
    def open(
        cls, folder: Path, limits: BufferConfig, clocks: Clocks, connect: ConnectionFactory = connect_sqlite
    ) -> "Outbox":
        """The outbox in ``folder``, checked, and salvaged when it was damaged. Blocks.

        ConfigError when the folder can not be used.
        """
        sys.setswitchinterval(SWITCH_S)
        home = Home(folder, limits, clocks, connect)
        lock = take_folder(folder)
        try:
            return cls(home, lock, Writer(home, open_checked(home)))
        except BaseException:
            os.close(lock)
            raise

    @property
    def reread_from_ms(self) -> WallMs | None:
        """Cursors are gone and terminals must be read again from here; None when nothing was lost."""
        return self._writer.reread_from_ms

    def seen_ms(self) -> int:
        """Monotonic milliseconds, for ``seen_ms`` of an event.

        They count from the start of the process and not of each stream, so that an event which was read before a new
        stream began and is stored in it has no wrong time; the stream's anchor names the place.
        """
        return self._writer.seen_ms()

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        """Return once events and cursor are committed in one transaction; RetryableError when nothing was stored.

        Give it at most some hundred events at a time: one call is never split.
        """
        return await self._writer.put([_new_row(event, self.seen_ms) for event in events], cursor)

    async def cursor(self, key: str) -> bytes | None:
        """The last committed place; None before the first."""
        return await self._read(lambda connection: store.read_cursor(connection, key))

    async def streams(self) -> list[StreamRows]:
        """Every stream that has rows, acked ones included, oldest first."""
        return _streams(self._writer.state)

    async def read(self, stream: bytes, first: int, last: int) -> list[Row]:
        """Rows with the seqs from ``first`` on, as many as one message holds; empty when ``first`` is not held."""
        info = self._writer.state.find(stream)
        if info is None or not info.first <= first <= min(last, info.last):
            return []
        end = min(last, info.last, first + MAX_EVENTS - 1)
        number = info.number
        found = await self._read(lambda connection: store.read_rows(connection, number, first, end))
        rows: list[Row] = []
        room = RUN_BYTES
        for seq, body, said in found:
            if seq != first + len(rows):
                break
            row = Row(seq, body)
            if digest(body) != said:
                row = await self._replace_damaged(number, row)
            room -= len(row.body) + ROW_BYTES
            if rows and room < 0:
                break
            rows.append(row)
        return rows

    async def mark_acked(self, acked: Iterable[tuple[bytes, Ranges]]) -> None:
        """Note in one transaction what the server has; twice is once, and what is not held is left out."""
        hour, marks = self._writer.hour(), list(acked)

        def apply(connection: Connection, state: State) -> State:
            for stream, ranges in marks:
                state = store.mark_acked(connection, state, stream, ranges, hour)
            return state

        await self._writer.change(apply)

    async def mark_unsent(self, stream: bytes, rows: Ranges) -> None:
        """Take rows back to unsent: the server does not have them any more."""
        await self._writer.change(lambda connection, state: store.mark_unsent(connection, state, stream, rows))

    async def start_stream(self) -> None:
        """Close the open stream; the next row begins a new one."""
        await self._writer.start_stream()

    async def read_clock(self, *, synced: bool) -> None:
        """Tie the open stream to the wall clock as it is now: it has been set, or is known to be right."""
        await self._writer.read_clock(synced=synced)

    async def raise_alarm(self, code: str, detail: str) -> None:
        """Show an alarm for a day of running time, restarts included."""
        await self._writer.alarm(code, detail)

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call it on the event loop after each commit of new rows."""
        self._writer.subscribe(callback)

    def newest_digest(self) -> bytes | None:
        """Digest of the newest row; None for an empty outbox."""
        return self._writer.state.newest_digest

    def stats(self) -> OutboxStats:
        """How it stands; costs nothing."""
        state, summary = self._writer.state, self._writer.summary
        levels = tuple(code for level, code in LEVEL_ALARMS.items() if level in self._writer.summary.levels)
        backlog = state.backlog
        return OutboxStats(
            backlog=backlog,
            oldest_unacked_ms=summary.oldest_unacked_ms if backlog else None,
            rows=state.rows,
            quota_used_pct=summary.usage.pct,
            free_bytes=free_bytes(self._home.folder),
            refused=self._writer.refused,
            hours_left=summary.hours_left,
            alarms=levels + summary.alarms,
        )

    async def close(self) -> None:
        """Commit what waits and close the file, in less than 10 s."""
        if self._closed:
            return
        self._closed = True
        stopped = await asyncio.to_thread(self._writer.stop, CLOSE_S)
        if not stopped:
            log.error("outbox did not close in time; what was not committed is not stored")
        self._reading.shutdown(wait=stopped)
        self._forget_reader()
        os.close(self._lock)

    async def _read(self, question: Callable[[Connection], _T]) -> _T:
        """Ask the reading connection; RetryableError when the disk does not answer."""
        if self._closed:
            raise RetryableError("outbox is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._ask, question)

    def _ask(self, question: Callable[[Connection], _T]) -> _T:
        if self._reader_generation != self._writer.generation:
            self._forget_reader()
        try:
            if self._reader is None:
                self._reader_generation = self._writer.generation
                self._reader = self._home.connect(self._home.file, readonly=True)
            return question(self._reader)
        except sqlite3.Error as error:
            self._forget_reader()
            if is_damage(error):
                self._writer.suspect()
            raise RetryableError(f"outbox can not be read: {error}") from error

    def _forget_reader(self) -> None:
        if self._reader is not None:
            with suppress(sqlite3.Error):
                self._reader.close()
            self._reader = None

    async def _replace_damaged(self, number: int, row: Row) -> Row:
        """Put what is left of a damaged row, with its reason, under its seq."""
        at = self._home.clocks.wall_ms()
        body = encode_event(Damaged("", "digest", row.body[:DAMAGED_RAW_LIMIT], at, self.seen_ms()))
        detail = f"seq {row.seq} of stream {number}"

        def apply(connection: Connection, state: State) -> State:
            store.replace_row(connection, number, row.seq, body)
            return state

        await self._writer.change(apply)
        await self.raise_alarm("damaged_row", detail)
        return Row(row.seq, body)


def _new_row(event: Event, now: Callable[[], int]) -> NewRow:
    body = encode_event(event)
    if len(body) > BODY_LIMIT:
        body = encode_event(Damaged(_source(event), "oversize", body[:DAMAGED_RAW_LIMIT], event.at, now()))
        return NewRow(None, body, digest(body))
    return NewRow(short_key(event), body, digest(body))


def _source(event: Event) -> str:
    match event:
        case Punch(terminal=source) | Scan(station=source) | Damaged(source=source):
            return source[:64]


def _streams(state: State) -> list[StreamRows]:
    return [
        StreamRows(info.stream, info.first, info.last, info.acked, number == state.open, info.anchor)
        for number, info in state.streams.items()
        if info.rows
    ]
