"""A disk that loses power: an apsw VFS that keeps, per file, what was synced and every write since.

At the loss each write since the last sync is kept, dropped, or torn into 512-byte sectors of which some are kept.
"""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from gateway.buffer.connection import Connection, Record, Records, Value

SECTOR = 512
DROPPED, TORN = 0.4, 0.2
"""Share of the un-synced writes that are lost whole, and in part."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset; None cuts the file off there."""

    offset: int
    data: bytes | None

    def onto(self, content: bytearray) -> None:
        """Do to ``content`` what the write does to the file."""
        if self.data is None:
            del content[self.offset :]
            return
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.data)] = self.data

    def survivors(self, luck: random.Random) -> Iterator["Write"]:
        """What a power loss leaves of it."""
        chance = luck.random()
        if chance < DROPPED:
            return
        if self.data is None or chance > DROPPED + TORN:
            yield self
            return
        for at in range(0, len(self.data), SECTOR):
            if luck.random() < 0.5:
                yield Write(self.offset + at, self.data[at : at + SECTOR])


@dataclass(slots=True)
class Disk:
    """The files of one life of the machine; power goes at the write or sync with the number ``fails_at``."""

    fails_at: int | None = None
    operations: int = 0
    durable: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Write]] = field(default_factory=dict)

    @property
    def dead(self) -> bool:
        """Whether power is gone."""
        return self.fails_at is not None and self.operations >= self.fails_at

    def add(self, path: str) -> None:
        """Know a file by what it holds now."""
        if path not in self.durable:
            self.durable[path] = bytearray(Path(path).read_bytes() if Path(path).exists() else b"")
            self.pending[path] = []

    def write(self, path: str, write: Write) -> None:
        """Note a write that is not yet synced."""
        self._count()
        self.pending[path].append(write)

    def sync(self, path: str) -> None:
        """Make what was written so far durable."""
        self._count()
        for write in self.pending[path]:
            write.onto(self.durable[path])
        self.pending[path].clear()

    def remove(self, path: str) -> None:
        """Forget a file."""
        self._count()
        self.durable.pop(path, None)
        self.pending.pop(path, None)

    def lose_power(self, folder: Path, luck: random.Random) -> None:
        """Put into ``folder`` what is found when the machine starts again."""
        for path, content in self.durable.items():
            left = bytearray(content)
            for write in self.pending[path]:
                for survivor in write.survivors(luck):
                    survivor.onto(left)
            (folder / Path(path).name).write_bytes(left)

    def _count(self) -> None:
        self.operations += 1
        if self.dead:
            raise apsw.IOError("no power")


class PowerLossVfs(apsw.VFS):
    """The VFS in which ``disk`` can be exchanged between two lives."""

    NAME = "powerloss"

    def __init__(self) -> None:
        self.disk = Disk()
        super().__init__(self.NAME, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_File":  # noqa: N802  (apsw's name)
        return _File(self, name, flags)

    def xDelete(self, path: str, sync: bool) -> None:  # noqa: N802
        self.disk.remove(path)
        super().xDelete(path, sync)

    def connect(self, path: Path, *, readonly: bool = False) -> Connection:
        """A ``ConnectionFactory``."""
        how = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        try:
            return ApswConnection(apsw.Connection(str(path), vfs=self.NAME, flags=how), readonly=readonly)
        except apsw.Error as error:
            raise _translated(error) from error


class _File(apsw.VFSFile):
    def __init__(self, vfs: PowerLossVfs, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = vfs.disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk.add(self._path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.write(self._path, Write(offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.write(self._path, Write(size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.sync(self._path)
        super().xSync(flags)


class ApswConnection:
    """The outbox's part of the sqlite3 interface over apsw."""

    def __init__(self, connection: apsw.Connection, *, readonly: bool = False) -> None:
        self._connection, self._readonly = connection, readonly

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._connection.in_transaction)

    def execute(self, sql: str, parameters: Sequence[Value] = (), /) -> Records:
        """Run one statement to its end."""
        try:
            return _Records(self._connection.execute(sql, tuple(parameters)).fetchall())
        except apsw.Error as error:
            raise _translated(error) from error

    def close(self) -> None:
        """Give up the file."""
        try:
            self._connection.close()
        except apsw.Error as error:
            # Closing asks for the exclusive lock that a reader can not have; sqlite3 keeps that to itself.
            if not self._readonly:
                raise _translated(error) from error


class _Records:
    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def fetchone(self) -> Record | None:
        return self._records.pop(0) if self._records else None

    def fetchall(self) -> list[Record]:
        taken, self._records = self._records, []
        return taken


def _translated(error: apsw.Error) -> sqlite3.Error:
    code = getattr(error, "result", 0) & 0xFF
    damage = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    translated = sqlite3.DatabaseError(str(error)) if damage else sqlite3.OperationalError(str(error))
    translated.sqlite_errorcode = code or sqlite3.SQLITE_IOERR
    return translated
