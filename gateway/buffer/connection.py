"""The part of the sqlite3 interface that the outbox needs, so that a test can put a failing disk under it."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, cast

from shared.errors import ConfigError

Value: TypeAlias = str | int | float | bytes | None
Record: TypeAlias = tuple[Value, ...]

PAGE_BYTES = 4096
WAL_PAGES = 200
"""A checkpoint follows when the log is that long."""
WAL_LIMIT_BYTES = 4 * 1024 * 1024
BUSY_S = 10.0


class Records(Protocol):
    """What a statement gave; read to the end at once, for an open statement keeps the log from being reused."""

    def fetchone(self) -> Record | None:
        """The next record; None after the last."""
        ...

    def fetchall(self) -> list[Record]:
        """All that is left."""
        ...

    def __iter__(self) -> Iterator[Record]: ...


class Connection(Protocol):
    """An open database in autocommit mode; every failure is a ``sqlite3.Error``."""

    @property
    def in_transaction(self) -> bool:
        """Whether BEGIN was not yet followed by COMMIT or ROLLBACK."""
        ...

    def execute(self, sql: str, parameters: Sequence[Value] = (), /) -> Records:
        """Run one statement."""
        ...

    def close(self) -> None:
        """Give up the file; an open transaction is rolled back."""
        ...


class ConnectionFactory(Protocol):
    """Opens the database of that path, which is made when missing unless ``readonly``."""

    def __call__(self, path: Path, *, readonly: bool = False) -> Connection:
        """The open database, usable from any one thread at a time."""
        ...


def connect_sqlite(path: Path, *, readonly: bool = False) -> Connection:
    """The database in the file ``path`` through Python's own sqlite3."""
    mode = "ro" if readonly else "rwc"
    # Few statements are in use, and those that insert many rows are large: the default of 128 is memory for nothing.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_S,
        cached_statements=48,
    )


def tune(connection: Connection, max_pages: int) -> None:
    """Make commits survive a power loss and the file stay in its quota (reliability.md sections 4 and 5).

    ConfigError when the filesystem does not allow a write-ahead log.
    """
    connection.execute(f"pragma page_size={PAGE_BYTES}").fetchall()  # heeded by a file that is still empty
    (mode,) = connection.execute("pragma journal_mode=wal").fetchall()[0]
    if mode != "wal":
        raise ConfigError(f"outbox: journal mode is {mode!r}, expected 'wal'; put the data folder on a local disk")
    connection.execute("pragma synchronous=full").fetchall()
    connection.execute("pragma foreign_keys=on").fetchall()
    connection.execute(f"pragma wal_autocheckpoint={WAL_PAGES}").fetchall()
    connection.execute(f"pragma journal_size_limit={WAL_LIMIT_BYTES}").fetchall()
    limit_pages(connection, max_pages)


def fold_log(connection: Connection) -> None:
    """Write what the log holds into the file itself and start the log afresh.

    What a commit left there whose sync failed is not trusted to be on the disk, however well it reads from the cache:
    here it is written again. A full disk has to wait.
    """
    try:
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    except sqlite3.Error as error:
        if primary_code(error) != sqlite3.SQLITE_FULL:
            raise


def limit_pages(connection: Connection, max_pages: int) -> None:
    """Refuse to let the file grow beyond that many pages."""
    connection.execute(f"pragma max_page_count={max_pages}").fetchall()


def number(connection: Connection, sql: str, parameters: Sequence[Value] = ()) -> int:
    """The single whole number that the statement gives; 0 for none."""
    records = connection.execute(sql, parameters).fetchall()
    value = records[0][0] if records else None
    return value if isinstance(value, int) else 0


def integers(connection: Connection, sql: str, parameters: Sequence[Value] = ()) -> list[tuple[int, ...]]:
    """Records of whole numbers; DatabaseError when something else is stored there, as in a damaged file."""
    records = connection.execute(sql, parameters).fetchall()
    for record in records:
        if not all(isinstance(value, int) for value in record):
            raise sqlite3.DatabaseError(f"expected whole numbers, found {record!r}")
    return cast("list[tuple[int, ...]]", records)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code of an error, such as ``sqlite3.SQLITE_FULL``; 0 when it carries none."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return (code or 0) & 0xFF
