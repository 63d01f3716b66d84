"""Tables of the outbox and how they came to be.

An id of ``rows`` is the stream's number and the seq in one integer: rows lie in the order in which they are sent, a run
of seqs is one walk over neighbouring pages, and no index has to be kept. A migration only adds, so that an older
gateway can still work with the file.
"""

from typing import TYPE_CHECKING, cast

from gateway.buffer.connection import Connection, number

if TYPE_CHECKING:
    import sqlite3

    from sqlite_utils import Database

VERSION = 1
SEQ_BITS = 40
SEQ_MASK = (1 << SEQ_BITS) - 1


def row_id(stream: int, seq: int) -> int:
    """Id of a row: number of its stream, then seq."""
    return stream << SEQ_BITS | seq


def is_current(connection: Connection) -> bool:
    """Whether the file has all the tables that are needed."""
    return number(connection, "pragma user_version") >= VERSION


def migrate(connection: Connection) -> None:
    """Bring the tables up to date; a file that is current, or newer, costs one look."""
    if is_current(connection):
        return
    from sqlite_utils import Database  # 6 MiB that a current file does not need

    database = Database(cast("sqlite3.Connection", connection), execute_plugins=False)
    with database.atomic():
        for step in STEPS[number(connection, "pragma user_version") :]:
            step(database)
        connection.execute(f"pragma user_version={VERSION}").fetchall()


def _first_tables(database: "Database") -> None:
    # Streams and rows carry what they say and its digest: a page that is found in a damaged file proves itself.
    for name in ("streams", "rows"):
        database.table(name).create({"id": int, "body": bytes, "digest": bytes}, pk="id", not_null={"body", "digest"})
    database.execute(
        "create table acked (stream integer not null references streams(id) on delete cascade, first integer not null,"
        " last integer not null, hour integer not null, primary key (stream, first)) without rowid"
    )
    # Sorted by device second, so that the keys of new punches fall on few pages however many old ones are kept.
    database.execute("create table keys (key blob not null primary key, day integer not null) without rowid")
    database.execute("create table cursors (key text not null primary key, value blob not null) without rowid")
    database.execute("create table meta (name text not null primary key, value integer not null) without rowid")
    database.execute(
        "create table alarms (code text not null primary key, wall_ms integer not null, age_ms integer not null,"
        " detail text not null) without rowid"
    )


STEPS = (_first_tables,)
