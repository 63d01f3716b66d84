"""Opens the database at start: one owner, checked, compared with what was there before."""

import fcntl
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.buffer import alarms, store
from gateway.buffer.connection import Connection, ConnectionFactory, tune
from gateway.buffer.disk import CONTROL_PAGES, Ballast, quota_pages
from gateway.buffer.last_known import recall, shrunk
from gateway.buffer.schema import migrate
from gateway.buffer.state import State
from gateway.config import BufferConfig
from shared.clock import Clocks, WallMs
from shared.errors import ConfigError

log = structlog.get_logger("outbox")

FILE = "outbox.db"


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


def open_checked(folder: Path, limits: BufferConfig, clocks: Clocks, connect: ConnectionFactory) -> Opened:
    """The database in ``folder``, checked; ConfigError when the disk does not let it be used."""
    try:
        return _open(folder, limits, clocks, connect)
    except sqlite3.Error as error:
        if Ballast(folder, limits).whole:
            Ballast(folder, limits).drop()
            return open_checked(folder, limits, clocks, connect)
        raise ConfigError(f"outbox: {folder / FILE} can not be opened: {error}") from error


def connect_tuned(folder: Path, limits: BufferConfig, connect: ConnectionFactory) -> Connection:
    """The database with all settings in force and tables up to date."""
    connection = connect(folder / FILE)
    try:
        tune(connection, quota_pages(limits) + CONTROL_PAGES)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(folder: Path, limits: BufferConfig, clocks: Clocks, connect: ConnectionFactory) -> Opened:
    known = recall(folder)
    connection = connect_tuned(folder, limits, connect)
    try:
        check(connection)
        state = store.load(connection)
        age_ms = max(store.read_meta(connection, "age_ms"), known.age_ms if known else 0)
        lost = shrunk(state, known) if known else []
        if lost:
            detail = ", ".join(f"{stream.stream.hex()} ended at {stream.last}" for stream in lost)
            log.error("tail lost", streams=detail)
            alarms.raise_alarm(connection, "tail_lost", detail, clocks.wall_ms(), age_ms)
    except BaseException:
        connection.close()
        raise
    return Opened(connection, state, age_ms)


def check(connection: Connection) -> None:
    """DatabaseError when SQLite finds the file damaged."""
    (first, *more) = connection.execute("pragma quick_check(3)").fetchall()
    if first != ("ok",):
        raise sqlite3.DatabaseError("; ".join(str(record[0]) for record in (first, *more)))
