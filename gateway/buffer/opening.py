"""Opens the database at start: one owner, checked, compared with what was there before."""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from gateway.buffer import alarms, store
from gateway.buffer.connection import WAL_LIMIT_BYTES, Connection, fold_log, primary_code, tune
from gateway.buffer.disk import Ballast, free_bytes
from gateway.buffer.home import CONTROL_PAGES, Home
from gateway.buffer.last_known import Held, LastKnown, recall, shrunk
from gateway.buffer.salvage import REREAD_MS, finish_interrupted, salvage
from gateway.buffer.schema import is_current, migrate
from gateway.buffer.state import State
from gateway.buffer.wal_check import wal_is_damaged
from shared.clock import WallMs
from shared.errors import ConfigError

log = structlog.get_logger("outbox")

DAMAGE_CODES = {0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""None is what our own checks raise; ERROR stands for tables that are gone."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A database fit for use."""

    connection: Connection
    state: State
    age_ms: int
    """Running time of all earlier starts, the one clock that retention follows: a wall jump must delete nothing."""
    reread_from_ms: WallMs | None = None
    """Terminals must be read again from here; None when nothing is missing."""


def take_folder(folder: Path) -> int:
    """Make the folder ours until the process ends; ConfigError when another process has it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"outbox: {folder} can not be used ({error.strerror}); give the gateway a folder") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ConfigError(f"outbox: {folder} is in use by another gateway process; stop that one first") from error
    return handle


def open_checked(home: Home) -> Opened:
    """The database in ``folder``, checked, and salvaged when it is damaged; ConfigError when the disk is of no use."""
    ballast = Ballast(home)
    try:
        return _open_or_salvage(home)
    except (sqlite3.Error, OSError) as error:
        if free_bytes(home.folder) > WAL_LIMIT_BYTES or not ballast.there:
            raise ConfigError(f"outbox: {home.file} can not be used: {error}; check disk and permissions") from error
        log.warning("disk is full, ballast given up", reason=str(error))
    ballast.drop()
    return open_checked(home)


def connect_tuned(home: Home) -> Connection:
    """The database with all settings in force and tables up to date."""
    connection = home.connect(home.file)
    try:
        tune(connection, home.quota_pages + CONTROL_PAGES)
        fold_log(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error is about what the file says, not about the disk it lies on."""
    return isinstance(error, sqlite3.DatabaseError) and primary_code(error) in DAMAGE_CODES


def lost_tail(
    connection: Connection, lost: Sequence[Held], wall_ms: WallMs, age_ms: int, reread_from_ms: WallMs
) -> None:
    """Note that streams have lost their last rows: terminals are read again from the start of what may be missing."""
    detail = ", ".join(f"{stream.stream.hex()} ended at {stream.last}" for stream in lost)
    log.error("outbox lost rows", streams=detail)
    connection.execute("begin immediate")
    connection.execute("delete from cursors")
    store.write_meta(connection, "reread_from_ms", reread_from_ms)
    alarms.raise_alarm(connection, "tail_lost", detail, wall_ms, age_ms)
    connection.execute("commit")


def _open_or_salvage(home: Home) -> Opened:
    finish_interrupted(home)
    known = recall(home.folder)
    if not (reason := _damage_outside(home, known)):
        try:
            return _open(home, known)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            reason = str(error)
    salvage(home, known, reason)
    return _open(home, known)


def _damage_outside(home: Home, known: LastKnown | None) -> str | None:
    """What SQLite would not notice, and would make unrecoverable by starting afresh; None when there is nothing."""
    empty = not home.file.exists() or home.file.stat().st_size == 0
    if empty and ((known and known.streams) or (home.wal.exists() and home.wal.stat().st_size)):
        return "the database is missing"
    return "the write-ahead log is damaged" if wal_is_damaged(home.wal) else None


def _open(home: Home, known: LastKnown | None) -> Opened:
    _check(home)
    connection = connect_tuned(home)
    try:
        state = store.load(connection)
        age_ms = store.read_meta(connection, "age_ms")
        if known:
            age_ms = max(age_ms, known.age_ms)
            state = replace(state, next_number=max(state.next_number, known.next_number))
            if lost := shrunk(state, known):
                lost_tail(
                    connection,
                    lost,
                    home.clocks.wall_ms(),
                    age_ms,
                    (known.oldest_unacked_ms or known.wall_ms) - REREAD_MS,
                )
        fresh_loss = {"salvaged", "tail_lost"} & set(alarms.shown(connection, age_ms))
        reread_from_ms = store.read_meta(connection, "reread_from_ms") if fresh_loss else None
    except BaseException:
        connection.close()
        raise
    return Opened(connection, state, age_ms, reread_from_ms)


def _check(home: Home) -> None:
    """DatabaseError when the file is damaged; read only, so that damaged files are kept exactly as they were."""
    if not home.file.exists() or home.file.stat().st_size == 0:
        return
    connection = home.connect(home.file, readonly=True)
    try:
        found = connection.execute("pragma quick_check(3)").fetchall()
        if found != [("ok",)]:
            raise sqlite3.DatabaseError("; ".join(str(record[0]) for record in found))
        if is_current(connection) and store.count(connection) != store.load(connection).rows:
            raise sqlite3.DatabaseError("rows are missing inside a stream")
    finally:
        connection.close()
