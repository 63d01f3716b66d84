"""The one thread that writes: takes all that waits into one transaction, and keeps the file in shape in between."""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import structlog

from gateway.buffer import alarms, store
from gateway.buffer.connection import Connection, limit_pages, primary_code
from gateway.buffer.disk import (
    CALM_PCT,
    DELETE_EARLY_PCT,
    FULL_PCT,
    LOGS_WAIT_PCT,
    WARN_PCT,
    Ballast,
    Usage,
    measure,
)
from gateway.buffer.forecast import hours_left, oldest_unacked_ms, rows_per_hour
from gateway.buffer.home import CONTROL_PAGES, Home
from gateway.buffer.last_known import remember
from gateway.buffer.opening import Opened, connect_tuned, is_damage, lost_tail, open_checked
from gateway.buffer.salvage import REREAD_MS
from gateway.buffer.state import State
from gateway.buffer.store import NewRow
from gateway.driver import Cursor, Stored
from shared.clock import ClockAnchor, WallMs
from shared.errors import ConfigError, MusterError, RetryableError
from shared.keys import digest

log = structlog.get_logger("outbox")

GROUP_EVENTS = 1000
TICK_S = 1.0
REMEMBER_MS = 60_000
REOPEN_MS = 1000
"""A file that could not be opened again is tried again that much later at the earliest."""
DELETE_ROWS = 500
MEASURE_BYTES = 128 * 1024
"""Taken since the disk was looked at last, beside once a second."""
FORGET_KEYS = 2000
KEEP_KEYS_DAYS = 400
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
VERIFY_ROWS = 1000

Change: TypeAlias = Callable[[Connection, State], State]
_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Put:
    rows: Sequence[NewRow]
    cursor: Cursor | None
    done: asyncio.Future[Stored]


@dataclass(slots=True, eq=False)
class _Change:
    apply: Change
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the last tick found."""

    usage: Usage
    oldest_unacked_ms: WallMs | None = None
    hours_left: float | None = None
    alarms: tuple[str, ...] = ()
    levels: frozenset[int] = frozenset()
    """Of the disk policy, in percent, that are reached."""


class Writer:
    """Owner of the connection that writes. ``state`` and ``summary`` are values that any thread may read."""

    def __init__(self, home: Home, opened: Opened) -> None:
        self.state = opened.state
        self.reread_from_ms = opened.reread_from_ms
        self.refused = 0
        self.generation = 0
        """Counts how often the file was replaced: who has it open must open it again."""
        self._suspect = False
        self._home, self._clocks = home, home.clocks
        self._connection: Connection | None = opened.connection
        self._page_limit = self._unmeasured = 0
        self._ballast = Ballast(home)
        self._ballast.restore()
        self._began_ms = home.clocks.mono_ms()
        self._earlier_ms = opened.age_ms
        self._synced = False
        self._keys_after: bytes | None = b""
        self._keys_day = 0
        self._reopen_at_ms = 0
        self._remember_at_ms = 0
        self._tick_at_ms = 0
        self._more_to_do = False
        raised = alarms.shown(opened.connection, opened.age_ms)
        self.summary = Summary(measure(opened.connection, home), alarms=raised)
        self._waiting: deque[_Put | _Change] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="outbox-writer", daemon=True)
        self._thread.start()

    # Called on the event loop.

    def seen_ms(self) -> int:
        """Monotonic milliseconds since the outbox was opened."""
        return self._clocks.mono_ms() - self._began_ms

    async def put(self, rows: Sequence[NewRow], cursor: Cursor | None) -> Stored:
        """Wait until the rows are committed; RetryableError when they are not."""
        loop = asyncio.get_running_loop()
        job = _Put(rows, cursor, loop.create_future())
        self._submit(job, loop)
        return await job.done

    async def change(self, apply: Change) -> None:
        """Wait until a change that takes no new events is committed."""
        loop = asyncio.get_running_loop()
        job = _Change(apply, loop.create_future())
        self._submit(job, loop)
        return await job.done

    async def start_stream(self) -> None:
        """Close the open stream."""
        await self.change(lambda _connection, state: replace(state, open=None))

    async def read_clock(self, *, synced: bool) -> None:
        """Tie the open stream, and those to come, to the wall clock as it is now."""
        self._synced = synced
        anchor = self._anchor()
        await self.change(lambda connection, state: store.set_anchor(connection, state, anchor))

    async def alarm(self, code: str, detail: str) -> None:
        """Show an alarm for a day of running time."""
        await self.change(lambda connection, state: self._alarm(connection, state, code, detail))

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call it on the event loop after each commit of new rows."""
        self._loop = asyncio.get_running_loop()
        self._callbacks.append(callback)

    def suspect(self) -> None:
        """Check the whole file soon: somebody has read nonsense from it."""
        with self._wake:
            self._suspect = True
            self._wake.notify()

    def hour(self) -> int:
        """Hours of running time, all starts together."""
        return self._age_ms() // HOUR_MS

    def stop(self, within_s: float) -> bool:
        """Commit what waits and close the file; False when that took too long. Blocks."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _submit(self, job: _Put | _Change, loop: asyncio.AbstractEventLoop) -> None:
        with self._wake:
            if self._closing:
                raise RetryableError("outbox is closed; the event was not stored")
            self._loop = loop
            self._waiting.append(job)
            self._wake.notify()

    # Called on the writer's thread.

    def _run(self) -> None:
        while True:
            jobs = self._take()
            try:
                if self._suspect:
                    self._drop_connection()
                if jobs:
                    self._commit(jobs)
                if self._clocks.mono_ms() >= self._tick_at_ms:
                    self._tick()
                elif not jobs:
                    self._keep_in_shape()
            except Exception as error:  # the thread's outer edge: without it nothing would ever be stored again
                log.exception("outbox writer failed")
                self._fail(jobs, RetryableError(f"outbox failed: {error!r}"))
                self._drop_connection()
            if self._closing and not jobs and not self._waiting:
                break
        self._finish()

    def _take(self) -> list[_Put | _Change]:
        """What waits, at most a thousand events; empty when it is time for other things."""
        with self._wake:
            if not self._waiting and not self._closing:
                self._wake.wait(0 if self._more_to_do else TICK_S)
            jobs: list[_Put | _Change] = []
            events = 0
            while self._waiting:
                job = self._waiting[0]
                events += len(job.rows) if isinstance(job, _Put) else 0
                if jobs and events > GROUP_EVENTS:
                    break
                jobs.append(self._waiting.popleft())
            return jobs

    def _commit(self, jobs: Sequence[_Put | _Change]) -> None:
        puts = self._admit([job for job in jobs if isinstance(job, _Put)])
        changes = [job for job in jobs if isinstance(job, _Change)]
        try:
            stored = self._transact(puts, changes)
        except sqlite3.Error as error:
            self._recover(error)
            self._refuse(puts, f"outbox could not store the event: {error}")
            self._commit_alone(changes)
            return
        self._resolve(zip(puts, stored, strict=True), changes, any(outcome.accepted for outcome in stored))
        self._unmeasured += sum(len(row.body) for put in puts for row in put.rows)
        if self._unmeasured > MEASURE_BYTES:
            self._look_at_disk()

    def _commit_alone(self, changes: Sequence[_Change]) -> None:
        """Once more without new events, with the ballast's help."""
        if not changes:
            return
        try:
            self._transact([], changes)
        except sqlite3.Error as error:
            self._fail(changes, RetryableError(f"outbox could not be changed: {error}"))
        else:
            self._resolve([], changes, grown=False)

    def _admit(self, puts: Sequence[_Put]) -> list[_Put]:
        """Those that the disk policy lets in; the others are answered."""
        if FULL_PCT in self.summary.levels:
            self._refuse(puts, "outbox is full; it empties when the server confirms events")
            return []
        if LOGS_WAIT_PCT not in self.summary.levels:
            return list(puts)
        self._refuse([p for p in puts if p.cursor], "outbox is nearly full; the terminal keeps its log until later")
        return [p for p in puts if not p.cursor]

    def _transact(self, puts: Sequence[_Put], changes: Sequence[_Change]) -> list[Stored]:
        """One transaction; ``sqlite3.Error`` when it did not happen."""
        connection = self._connected()
        self._limit_pages(connection, 0 if puts else CONTROL_PAGES)
        connection.execute("begin immediate")
        state = self.state
        for change in changes:
            state = change.apply(connection, state)
        rows, stored = self._sort_out(connection, puts)
        if rows:
            if state.open is None:
                state = store.begin_stream(connection, state, self._anchor())
            state = store.append(connection, state, rows)
        store.write_cursors(connection, [put.cursor for put in puts if put.cursor])
        connection.execute("commit")
        self.state = state
        return stored

    def _sort_out(self, connection: Connection, puts: Sequence[_Put]) -> tuple[list[NewRow], list[Stored]]:
        """The rows to store, and for each put how many of its rows they are."""
        keys = [row.key for put in puts for row in put.rows if row.key]
        known = store.remember_keys(connection, keys, self._age_ms() // DAY_MS)
        if not known and len(set(keys)) == len(keys):
            return [row for put in puts for row in put.rows], [Stored(len(put.rows), 0) for put in puts]
        rows: list[NewRow] = []
        stored: list[Stored] = []
        for put in puts:
            before = len(rows)
            for row in put.rows:
                if row.key is None:
                    rows.append(row)
                elif row.key not in known:
                    known.add(row.key)
                    rows.append(row)
            accepted = len(rows) - before
            stored.append(Stored(accepted, len(put.rows) - accepted))
        return rows, stored

    def _recover(self, error: sqlite3.Error) -> None:
        """Forget the connection and what it may have cached; rows to come go to a new stream."""
        if self._connection is None:
            return  # it could not even be opened, and that has been said
        log.error("commit failed", error=str(error), code=primary_code(error))
        self.state = replace(self.state, open=None)
        if primary_code(error) == sqlite3.SQLITE_FULL:
            self._ballast.drop()
        # The old one goes last: while a connection is there, what failed to commit can not come back from the log.
        old, self._connection = self._connection, None
        with suppress(sqlite3.Error):
            if old.in_transaction:
                old.execute("rollback")
        with suppress(sqlite3.Error):
            self._connected()
        _close(old)

    def _connected(self) -> Connection:
        """The open file; after a failure it is opened again, at most once a second."""
        if self._connection is None:
            now = self._clocks.mono_ms()
            if now < self._reopen_at_ms:
                raise sqlite3.OperationalError("the file could not be opened a moment ago")
            self._reopen_at_ms = now + REOPEN_MS
            try:
                self._connection = self._open_again()
            except sqlite3.Error as error:
                log.warning("outbox can not be opened", error=str(error), code=primary_code(error))
                raise
            self._page_limit = self._reopen_at_ms = 0
        return self._connection

    def _open_again(self) -> Connection:
        """The file with its last rows verified, or salvaged; ``sqlite3.Error`` when neither is possible."""
        if not self._suspect:
            try:
                return self._open_verified()
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
        self._suspect = False
        try:
            opened = open_checked(self._home)
        except ConfigError as error:
            self._suspect = True
            raise sqlite3.OperationalError(str(error)) from error
        self.generation += 1
        self.reread_from_ms = opened.reread_from_ms
        self._note_lost(opened.connection, opened.state)
        self._adopt(opened.state)
        return opened.connection

    def _open_verified(self) -> Connection:
        connection = connect_tuned(self._home)
        try:
            state = store.load(connection)
            _verify(connection, state)
            self._note_lost(connection, state)
        except BaseException:
            connection.close()
            raise
        self._adopt(state)
        return connection

    def _note_lost(self, connection: Connection, found: State) -> None:
        held = [info for info in self.state.streams.values() if info.rows]
        lost = [info for info in held if (now := found.find(info.stream)) is None or now.last < info.last]
        if lost:
            at = (self.summary.oldest_unacked_ms or self._clocks.wall_ms()) - REREAD_MS
            lost_tail(connection, lost, self._clocks.wall_ms(), self._age_ms(), at)
            self.reread_from_ms = at
            self._tick_at_ms = 0

    def _adopt(self, found: State) -> None:
        """Go on with what is in the file; rows to come go to a new stream."""
        self.state = replace(found, next_number=max(found.next_number, self.state.next_number))

    def _drop_connection(self) -> None:
        old, self._connection = self._connection, None
        _close(old)

    def _tick(self) -> None:
        """Once a second: measure, and once a minute write down what is there."""
        now = self._clocks.mono_ms()
        self._tick_at_ms = now + int(TICK_S * 1000)
        self._more_to_do = True
        try:
            connection = self._connected()
            self._look_at_disk()
            per_hour = rows_per_hour(connection, self.state, self._clocks.wall_ms())
            self.summary = replace(
                self.summary,
                oldest_unacked_ms=oldest_unacked_ms(connection, self.state),
                hours_left=hours_left(self.summary.usage, self.state.rows, per_hour),
                alarms=alarms.shown(connection, self._age_ms()),
            )
            if now >= self._remember_at_ms:
                self._remember_at_ms = now + REMEMBER_MS
                self._remember(connection)
        except sqlite3.Error as error:
            self._recover(error)

    def _remember(self, connection: Connection) -> None:
        store.write_meta(connection, "age_ms", self._age_ms())
        oldest = self.summary.oldest_unacked_ms
        try:
            remember(self._home.folder, self.state, self._clocks.wall_ms(), self._age_ms(), oldest)
        except OSError as error:
            log.warning("last known state not written", error=str(error))

    def _keep_in_shape(self) -> None:
        """One small step of deleting what is no longer needed."""
        try:
            self._more_to_do = self._delete_rows() or self._forget_keys()
        except sqlite3.Error as error:
            self._more_to_do = False
            self._recover(error)

    def _delete_rows(self) -> bool:
        """Whether there was something to delete: what is confirmed for long enough, or all of it under pressure."""
        early = DELETE_EARLY_PCT in self.summary.levels
        before = self.hour() + 1 if early else self.hour() - 24 * self._home.limits.keep_acked_days
        connection = self._connected()
        self._limit_pages(connection, CONTROL_PAGES)
        connection.execute("begin immediate")
        state = store.delete_acked(connection, self.state, before, DELETE_ROWS)
        connection.execute("commit")
        deleted = state is not self.state
        if deleted and len(state.streams) < len(self.state.streams):
            self._remember(connection)
        self.state = state
        if deleted:
            self._look_at_disk()
        elif DELETE_EARLY_PCT not in self.summary.levels:
            self._ballast.restore()
        return deleted

    def _forget_keys(self) -> bool:
        """A part of the daily walk over the keys; whether it goes on."""
        day = self._age_ms() // DAY_MS
        if self._keys_after is None:
            if day == self._keys_day:
                return False
            self._keys_after = b""
        self._keys_day = day
        connection = self._connected()
        self._limit_pages(connection, CONTROL_PAGES)
        self._keys_after = store.forget_keys(connection, self._keys_after, day - KEEP_KEYS_DAYS, FORGET_KEYS)
        return self._keys_after is not None

    def _look_at_disk(self) -> None:
        if self._connection is None:
            return
        self._unmeasured = 0
        usage = measure(self._connection, self._home)
        self.summary = replace(self.summary, usage=usage)
        levels = frozenset(
            level
            for level in (WARN_PCT, DELETE_EARLY_PCT, LOGS_WAIT_PCT, FULL_PCT)
            if usage.pct >= level - (CALM_PCT if level in self.summary.levels else 0)
        )
        if levels != self.summary.levels:
            log.warning("outbox level", used_pct=usage.pct, levels=sorted(levels))
            self._more_to_do = self._more_to_do or DELETE_EARLY_PCT in levels
            self.summary = replace(self.summary, levels=levels)

    def _finish(self) -> None:
        """Write down the end state, fold the log into the file and close it."""
        if self._connection is None:
            return
        try:
            self._remember(self._connection)
            self._connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.Error as error:
            log.warning("outbox closed without checkpoint", error=str(error))
        self._drop_connection()

    def _alarm(self, connection: Connection, state: State, code: str, detail: str) -> State:
        log.error("outbox alarm", code=code, detail=detail)
        alarms.raise_alarm(connection, code, detail, self._clocks.wall_ms(), self._age_ms())
        self._tick_at_ms = 0  # shown at once
        return state

    def _limit_pages(self, connection: Connection, beyond: int) -> None:
        pages = self._home.quota_pages + beyond
        if pages != self._page_limit:
            limit_pages(connection, pages)
            self._page_limit = pages

    def _age_ms(self) -> int:
        return self._earlier_ms + self._clocks.mono_ms() - self._began_ms

    def _anchor(self) -> ClockAnchor:
        return ClockAnchor(self.seen_ms(), self._clocks.wall_ms(), self._synced)

    def _refuse(self, puts: Sequence[_Put], reason: str) -> None:
        self.refused += sum(len(put.rows) for put in puts)
        self._fail(puts, RetryableError(reason))

    def _fail(self, jobs: Sequence[_Put | _Change], error: MusterError) -> None:
        def tell() -> None:
            for job in jobs:
                _set_error(job.done, error)

        if jobs:
            self._on_loop(tell)

    def _resolve(self, stored: Iterable[tuple[_Put, Stored]], changes: Sequence[_Change], grown: bool) -> None:
        outcomes = list(stored)

        def tell() -> None:
            for put, outcome in outcomes:
                _set_result(put.done, outcome)
            for change in changes:
                _set_result(change.done, None)
            if grown:
                for callback in self._callbacks:
                    callback()

        self._on_loop(tell)

    def _on_loop(self, tell: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell)


def _close(connection: Connection | None) -> None:
    try:
        if connection is not None:
            connection.close()
    except sqlite3.Error as error:
        log.warning("outbox did not close", error=str(error))


def _verify(connection: Connection, state: State) -> None:
    """DatabaseError when one of the last rows is not what was stored."""
    newest = next(reversed(state.streams.values()), None)
    if newest is None:
        return
    first = max(newest.first, newest.last - VERIFY_ROWS + 1)
    rows = store.read_rows(connection, newest.number, first, newest.last)
    if len(rows) != newest.last - first + 1 or any(digest(body) != said for _, body, said in rows):
        raise sqlite3.DatabaseError("rows are not what was stored")


def _set_result(future: asyncio.Future[_T], value: _T) -> None:
    if not future.done():
        future.set_result(value)


def _set_error(future: "asyncio.Future[Stored] | asyncio.Future[None]", error: MusterError) -> None:
    if not future.done():
        future.set_exception(error)
