"""Where an outbox lives and what it is given."""

from dataclasses import dataclass
from pathlib import Path

from gateway.buffer.connection import PAGE_BYTES, ConnectionFactory
from gateway.config import BufferConfig
from shared.clock import Clocks

FILE = "outbox.db"
PARTS = ("", "-wal", "-shm")
"""What SQLite adds to the name of a database for the files beside it."""
MIB = 1024 * 1024
CONTROL_PAGES = 256
"""Pages beyond the quota for what makes the outbox smaller: acks and deletes."""


@dataclass(frozen=True, slots=True)
class Home:
    """Folder, limits, clocks, and how to open a database."""

    folder: Path
    limits: BufferConfig
    clocks: Clocks
    connect: ConnectionFactory

    @property
    def file(self) -> Path:
        """The database."""
        return self.folder / FILE

    @property
    def wal(self) -> Path:
        """Its write-ahead log."""
        return self.folder / f"{FILE}-wal"

    @property
    def quota_pages(self) -> int:
        """The quota in pages of the database."""
        return self.limits.quota_mib * MIB // PAGE_BYTES
